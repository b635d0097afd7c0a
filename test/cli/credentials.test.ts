import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readCredentials } from "../../src/cli/credentials.ts";

const directory = mkdtempSync(join(tmpdir(), "podling-creds-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, "creds");
  writeFileSync(path, text);
  return path;
}

test("readCredentials() takes the file before the variable, and nothing from neither", () => {
  const environment = { PODLING_CREDS: "env:e" };
  expect(readCredentials(file("user:a:b\r\nmore"), environment)).toEqual({ username: "user", password: "a:b" });
  expect(readCredentials(undefined, environment)).toEqual({ username: "env", password: "e" });
  expect(readCredentials(undefined, {})).toBeUndefined();
});

test.each(["", "no-colon-s3cret", ":s3cret"])("readCredentials() refuses %j without repeating it", (text) => {
  const path = file(text);
  expect(() => readCredentials(path, {})).toThrow(`Invalid credentials in "${path}": must be name:password`);
});

test("readCredentials() names a file that is not there", () => {
  expect(() => readCredentials("/nowhere/creds", {})).toThrow('Cannot read credentials from "/nowhere/creds"');
});
