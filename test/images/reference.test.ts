import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatReference, parseReference } from "../../src/images/reference.ts";

const hex = "0123456789abcdef".repeat(4);

describe("parseReference()", () => {
  test.each([
    ["busybox", "docker.io/library/busybox:latest"],
    ["busybox:1.36", "docker.io/library/busybox:1.36"],
    ["docker.io/busybox", "docker.io/library/busybox:latest"],
    ["index.docker.io/library/busybox", "docker.io/library/busybox:latest"],
    ["user/app", "docker.io/user/app:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app:v1", "localhost:5000/app:v1"],
    ["127.0.0.1:5000/a/b_c/d__e-f.g", "127.0.0.1:5000/a/b_c/d__e-f.g:latest"],
    ["[::1]:5000/app", "[::1]:5000/app:latest"],
    ["Registry/app", "Registry/app:latest"],
    ["registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"],
    [`app@sha256:${hex}`, `docker.io/library/app@sha256:${hex}`],
    [`r.example/app:v1@sha256:${hex}`, `r.example/app@sha256:${hex}`],
    [`r.example:443/app@sha512:${hex}${hex}`, `r.example:443/app@sha512:${hex}${hex}`],
    [`app:${"t".repeat(128)}`, `docker.io/library/app:${"t".repeat(128)}`],
    [`r.example/${"a".repeat(245)}`, `r.example/${"a".repeat(245)}:latest`],
  ])("reads %s as %s", (text, canonical) => {
    expect(formatReference(parseReference(text))).toBe(canonical);
  });

  test.each([
    "",
    " busybox",
    "busybox ",
    "UPPER",
    "a//b",
    "/a",
    "a/",
    "a..b",
    "a___b",
    "-a",
    "a:",
    "a:.tag",
    "a:-tag",
    "a:t/x:",
    `a:${"t".repeat(129)}`,
    `r.example/${"a".repeat(246)}`,
    "a@",
    "a@md5:0123",
    `a@sha256:${hex.toUpperCase()}`,
    "a@sha256:../../../etc/passwd",
    `a@sha256:${hex}@sha256:${hex}`,
    hex,
    `docker.io/library/${hex}`,
    "http://registry.example/app",
    "registry.example/../app",
    "reg_istry.example/app",
    "user:pass@registry.example/app",
    "registry.example:port/app",
    "a\nb",
    "x".repeat(2000),
  ])("refuses %j", (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const separator = fc.constantFrom(".", "_", "__", "-", "--");
  const component = fc
    .tuple(word, fc.array(fc.tuple(separator, word), { maxLength: 2 }))
    .map(([first, rest]) => first + rest.flat().join(""));
  const registry = fc.oneof(
    fc.constantFrom("localhost", "docker.io", "[fe80::1]:5000"),
    fc.tuple(word, word, fc.integer({ min: 1, max: 65535 })).map(([a, b, port]) => `${a}.${b}:${port}`),
  );
  const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((text) => `sha256:${text}`);
  const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);

  test("what it writes it reads as the same", () => {
    const reference = fc
      .tuple(registry, fc.array(component, { minLength: 1, maxLength: 4 }), fc.option(tag), fc.option(digest))
      .map(([host, path, label, hash]) =>
        [`${host}/${path.join("/")}`, label && `:${label}`, hash && `@${hash}`].join(""),
      );
    fc.assert(
      fc.property(reference, (text) => {
        const parsed = parseReference(text);
        expect(parseReference(formatReference(parsed))).toEqual({
          ...parsed,
          ...(parsed.digest && { tag: undefined }),
        });
      }),
    );
  });

  test("any text is a reference or an InvalidArgument, and never one that could leave its path", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: "binary" }), (text) => {
        try {
          const { registry: host, repository } = parseReference(text);
          expect(`${host}/${repository}`).not.toMatch(/\.\.|\/\/|[\s?#%\\]/);
        } catch (error) {
          expect(error).toMatchObject({ code: "InvalidArgument" });
        }
      }),
    );
  });
});
