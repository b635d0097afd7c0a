import { describe, expect, test } from "vitest";
import { PinnedReferences } from "../../src/images/pinned-references.ts";

const digest = `sha256:${"0".repeat(64)}`;

describe("PinnedReferences", () => {
  test.each<[string, string, boolean]>([
    ["busybox", "docker.io/library/busybox:latest", true],
    ["busybox", "docker.io/library/busybox:1", false],
    ["registry.k8s.io/pause:*", "registry.k8s.io/pause:3.10", true],
    ["registry.k8s.io/pause:*", "registry.k8s.io/pause-x:3.10", false],
    ["registry.k8s.io/*", `registry.k8s.io/pause@${digest}`, true],
    ["*.example/team/*", "eu.example/team/app:v1", true],
    ["*.example/team/*", "euxexample/team/app:v1", false],
    [`app@${digest}`, `docker.io/library/app@${digest}`, true],
    ["*", "anything.example/a:b", true],
    ["[::1]:5000/*", "[::1]:5000/app:v1", true],
  ])("%s and %s: %s", (pattern, name, wanted) => {
    const found = new PinnedReferences(["other.example/x", pattern]).match({ tags: [name], digests: [] });
    expect(found).toBe(wanted ? pattern : undefined);
  });

  test.each(["", "host.example/UPPER", "a b*", "*(x+)+$", "x\n*"])("%j is refused with its place", (pattern) => {
    expect(() => new PinnedReferences(["busybox", pattern])).toThrow(/^Invalid images\.gc\.pinned\[1\]/);
  });
});
