import { describe, expect, test } from "vitest";
import { output } from "./command.ts";
import { countTarEntries, joinTars, type TarEntry, writeTar } from "./tar-writer.ts";

const longName = `${"deep/".repeat(30)}file`;
const entries: readonly TarEntry[] = [
  { name: "d/", type: "directory", mode: 0o1777 },
  { name: "d/f", body: "hello", mode: 0o4755, uid: 7, gid: 8 },
  { name: "d/s", type: "symlink", target: "f" },
  { name: "d/h", type: "hardlink", target: "d/f" },
  { name: "d/null", type: "character", device: { major: 1, minor: 3 }, mode: 0o666 },
  { name: longName, body: "x".repeat(1000) },
];

describe("writeTar()", () => {
  test("writes what tar reads", async () => {
    const listing = await output(["tar", "--numeric-owner", "-tvf", "-"], { input: writeTar(entries) });
    const words = listing
      .trim()
      .split("\n")
      .map((line) =>
        line
          .split(/\s+/)
          .filter((_, index) => index < 3 || index > 4)
          .join(" "),
      );
    expect(words).toEqual([
      "drwxrwxrwt 0/0 0 d/",
      "-rwsr-xr-x 7/8 5 d/f",
      "lrw-r--r-- 0/0 0 d/s -> f",
      "hrw-r--r-- 0/0 0 d/h link to d/f",
      "crw-rw-rw- 0/0 1,3 d/null",
      `-rw-r--r-- 0/0 1000 ${longName}`,
    ]);
  });
});

test("joinTars() keeps the entries of all archives", async () => {
  const joined = joinTars([writeTar(entries.slice(0, 2)), writeTar(entries.slice(2))]);
  expect(countTarEntries(joined)).toBe(entries.length);
  expect((await output(["tar", "-tf", "-"], { input: joined })).trim().split("\n")).toHaveLength(entries.length);
});
