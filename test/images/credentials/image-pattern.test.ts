import { describe, expect, test } from "vitest";
import { matchesImage, parseImagePattern, serverUrl } from "../../../src/images/credentials/image-pattern.ts";
import { parseReference } from "../../../src/images/reference.ts";

describe("matchesImage()", () => {
  test.each<[string, string, boolean]>([
    ["registry.io", "registry.io/app", true],
    ["registry.io", "other.io/app", false],
    ["registry.io", "registry.io.evil/app", false],
    ["*.registry.io", "eu.registry.io/app", true],
    ["*.registry.io", "registry.io/app", false],
    ["*.registry.io", "a.b.registry.io/app", false],
    ["*.*.registry.io", "a.b.registry.io/app", true],
    ["app*.registry.io", "app7.registry.io/app", true],
    ["app*.registry.io", "web7.registry.io/app", false],
    ["registry.*", "registry.io/app", true],
    ["registry.io:8080", "registry.io:8080/app", true],
    ["registry.io", "registry.io:8080/app", false],
    ["registry.io:8080", "registry.io/app", false],
    ["registry.io/team", "registry.io/team/app", true],
    ["registry.io/team", "registry.io/team", true],
    ["registry.io/team", "registry.io/teams/app", false],
    ["registry.io/team/", "registry.io/team/app", true],
    ["https://registry.io", "registry.io/app", true],
    ["http://registry.io/v2/", "registry.io/app", true],
    ["https://index.docker.io/v1/", "busybox", true],
    ["docker.io", "docker.io/library/busybox", true],
    ["registry-1.docker.io", "busybox", true],
    ["docker.io/library", "busybox", true],
    ["docker.io/team", "busybox", false],
    ["REGISTRY.io", "registry.io/app", true],
    ["[::1]:5000", "[::1]:5000/app", true],
    ["*", "localhost/app", true],
    ["*", "registry.io/app", false],
  ])("%s is for %s: %s", (text, image, wanted) => {
    const pattern = parseImagePattern(text);
    expect(pattern && matchesImage(pattern, parseReference(image))).toBe(wanted);
  });

  test.each(["", "registry.io:port", "registry.io/*", "a b", "registry.io?x", "$(id).io"])("%j is none", (text) => {
    expect(parseImagePattern(text)).toBeUndefined();
  });

  test.each([
    ["busybox", "https://index.docker.io/v1/"],
    ["registry.io:5000/app", "registry.io:5000"],
  ])("helpers know the registry of %s as %s", (image, wanted) => {
    expect(serverUrl(parseReference(image))).toBe(wanted);
  });
});
