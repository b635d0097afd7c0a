import { describe, expect, test } from "vitest";
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
