import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgentError } from "../../../src/common/errors.ts";
import { helperOf, parseDockerConfig, writtenCredentials } from "../../../src/images/credentials/docker-config.ts";
import { parseReference } from "../../../src/images/reference.ts";

const read = (value: unknown) => parseDockerConfig(Buffer.from(JSON.stringify(value)), "docker config");
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("docker config.json", () => {
  const config = read({
    auths: {
      "registry.io": { auth: base64("all:1") },
      "https://registry.io/team": { username: "team", password: "2" },
      "*.wild.io": { identitytoken: "idt" },
      "https://index.docker.io/v1/": { registrytoken: "hub", email: "a@b" },
      "desktop.io": {},
    },
    credHelpers: { "helped.io": "pass", "docker.io": "hub-helper" },
    credsStore: "desktop",
    HttpHeaders: { "User-Agent": "x" },
  });

  test.each<[string, readonly object[]]>([
    ["registry.io/app", [{ auth: base64("all:1") }]],
    ["registry.io/team/app", [{ username: "team", password: "2" }, { auth: base64("all:1") }]],
    ["a.wild.io/app", [{ identityToken: "idt" }]],
    ["busybox", [{ registryToken: "hub" }]],
    ["desktop.io/app", []],
    ["nowhere.io/app", []],
  ])("for %s it holds %j", (image, wanted) => {
    expect(writtenCredentials(config, parseReference(image))).toEqual(wanted);
  });

  test.each([
    ["helped.io/app", "pass"],
    ["busybox", "hub-helper"],
    ["registry.io/app", "desktop"],
  ])("the helper of %s is %s", (image, wanted) => {
    expect(helperOf(config, parseReference(image))).toBe(wanted);
  });

  test("without helpers there is none", () => {
    expect(helperOf(read({}), parseReference("busybox"))).toBeUndefined();
  });

  test("whatever the file holds, it is read or refused by an AgentError", () => {
    const key = fc.constantFrom("auths", "credHelpers", "credsStore", "r.io", "auth", "username", "__proto__");
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 0 }),
        fc.dictionary(key, tie("tree")),
        fc.array(tie("tree")),
      ),
    }));
    const file = fc.oneof(
      tree.map((value) => Buffer.from(JSON.stringify(value) ?? "")),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(file, (bytes) => {
        try {
          const config = parseDockerConfig(bytes, "docker config");
          writtenCredentials(config, parseReference("r.io/app"));
          helperOf(config, parseReference("r.io/app"));
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    { auths: [] },
    { auths: { "r.io": "s3cret" } },
    { auths: { "r.io": { auth: { s3cret: 1 } } } },
    { credHelpers: { "r.io": "../../bin/sh" } },
    { credHelpers: { "r.io": "a b" } },
    { credsStore: "x; rm" },
    { credsStore: 1 },
    "s3cret",
  ])("%j is refused without a word of it", (value) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ code: "FailedPrecondition" }));
    expect(() => read(value)).not.toThrow(/s3cret|r\.io|bin|x; /);
  });
});
