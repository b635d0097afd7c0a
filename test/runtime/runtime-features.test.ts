import { describe, expect, test } from "vitest";
import { parseFeatures, parseVersion } from "../../src/runtime/runtime-features.ts";

const rro = JSON.stringify({ mountOptions: ["ro", "rro"] });

describe("recursively read-only mounts are told", () => {
  test.each<[string, string, boolean]>([
    [rro, "6.1.0-13-amd64", true],
    [rro, "5.12.0", true],
    [rro, "5.10.0", false],
    [JSON.stringify({ mountOptions: ["ro"] }), "6.1.0", false],
    [JSON.stringify({}), "6.1.0", false],
  ])("by features %s on Linux %s: %j", (text, kernel, want) => {
    expect(parseFeatures(text, kernel).recursiveReadOnly).toBe(want);
  });

  test.each<[string, boolean]>([
    ["crun version 1.8.1\ncommit: f8a0\n", true],
    ["crun version 0.17\n", false],
    ["runc version 1.0.0\n", false],
  ])("by version %j: %j", (text, want) => {
    expect(parseVersion(text, "6.1.0").recursiveReadOnly).toBe(want);
  });

  test("what is no answer is an error", () => {
    expect(() => parseFeatures("unknown command", "6.1.0")).toThrow(expect.objectContaining({ code: "Unavailable" }));
  });
});

describe("user namespaces are told", () => {
  test.each<[object, boolean]>([
    [{ linux: { namespaces: ["mount", "user"] } }, true],
    [{ linux: { namespaces: ["mount"] } }, false],
    [{}, false],
  ])("by features %j: %j", (features, want) => {
    expect(parseFeatures(JSON.stringify(features), "6.1.0").userNamespaces).toBe(want);
  });

  test("by the version of a crun that can't be asked", () => {
    expect(parseVersion("crun version 1.8.1\n", "6.1.0").userNamespaces).toBe(true);
    expect(parseVersion("something else\n", "6.1.0").userNamespaces).toBe(false);
  });
});
