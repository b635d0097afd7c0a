import { describe, expect, test } from "vitest";
import { parseAuthChallenges } from "../../src/images/auth-challenge.ts";
import { chooseLogin } from "../../src/images/registry-credentials.ts";
import { checkRealm } from "../../src/images/token-realm.ts";

describe("parseAuthChallenges()", () => {
  test.each<[string, unknown]>([
    [
      'Bearer realm="https://auth.example/token",service="reg, 1",scope="repository:a:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: { realm: "https://auth.example/token", service: "reg, 1", scope: "repository:a:pull,push" },
        },
      ],
    ],
    ['BASIC Realm="x \\"y\\""', [{ scheme: "basic", parameters: { realm: 'x "y"' } }]],
    [
      'Negotiate, Basic realm=x , Bearer realm = "z"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: "x" } },
        { scheme: "bearer", parameters: { realm: "z" } },
      ],
    ],
    ['Bearer realm="a",realm="b"', [{ scheme: "bearer", parameters: { realm: "a" } }]],
    ["Bearer", [{ scheme: "bearer", parameters: {} }]],
    ['Bearer realm="unclosed', [{ scheme: "bearer", parameters: {} }]],
    ["", []],
    ["\u00e4\u00f6", []],
  ])("reads %j", (header, challenges) => {
    expect(JSON.parse(JSON.stringify(parseAuthChallenges(header)))).toMatchObject(challenges as object);
    expect(parseAuthChallenges(header).length).toBeGreaterThanOrEqual((challenges as unknown[]).length);
  });
});

describe("chooseLogin()", () => {
  const auth = Buffer.from("ann:s3cret\0\0").toString("base64");
  const password = { kind: "password", username: "ann", password: "s3cret" };

  test.each<[string, Parameters<typeof chooseLogin>, unknown]>([
    ["nothing", [undefined, "r.example", "r.example"], { kind: "anonymous" }],
    ["empty fields", [{ username: "", auth: "", serverAddress: "" }, "r.example", "r.example"], { kind: "anonymous" }],
    ["user and password", [{ username: "ann", password: "s3cret" }, "r.example", "r.example"], password],
    ["auth with padding NULs", [{ auth }, "r.example", "r.example"], password],
    ["both, agreeing", [{ username: "ann", password: "s3cret", auth }, "r.example", "r.example"], password],
    [
      "a password before a token",
      [{ username: "ann", password: "s3cret", identityToken: "t" }, "r.example", undefined],
      password,
    ],
    [
      "a token before auth",
      [{ auth, identityToken: "t" }, "r.example", undefined],
      { kind: "identityToken", token: "t" },
    ],
    ["a registry token", [{ registryToken: "t" }, "r.example", undefined], { kind: "registryToken", token: "t" }],
    [
      "its own server address",
      [{ auth, serverAddress: "https://r.example:5000/v2/" }, "r.example:5000", "r.example:5000"],
      password,
    ],
    [
      "another server address",
      [{ auth, serverAddress: "other.example" }, "r.example", "r.example"],
      { kind: "anonymous" },
    ],
    ["another port", [{ auth, serverAddress: "r.example:1" }, "r.example:2", "r.example:2"], { kind: "anonymous" }],
    [
      "Docker Hub's old address",
      [{ auth, serverAddress: "https://index.docker.io/v1/" }, "registry-1.docker.io", "docker.io"],
      password,
    ],
    [
      "the registry's address at its mirror",
      [{ auth, serverAddress: "docker.io" }, "mirror.example", undefined],
      { kind: "anonymous" },
    ],
    ["the mirror's own address", [{ auth, serverAddress: "mirror.example" }, "mirror.example", undefined], password],
  ])("with %s", (_name, input, login) => {
    expect(chooseLogin(...input)).toEqual(login);
  });

  test.each<[string, Parameters<typeof chooseLogin>[0]]>([
    ["auth that contradicts the password", { username: "ann", password: "other", auth }],
    ["auth without a colon", { auth: Buffer.from("ann").toString("base64") }],
    ["a token of two lines", { identityToken: "a\r\nX: y" }],
  ])("refuses %s without telling it", (_name, credentials) => {
    const failure = (() => {
      try {
        return chooseLogin(credentials, "r.example", "r.example");
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toMatchObject({
      code: "InvalidArgument",
      message: expect.not.stringMatching(/s3cret|other,|X: y/),
    });
  });
});

describe("checkRealm()", () => {
  test.each([
    ["https://auth.docker.io/token", "https://registry-1.docker.io/v2", true],
    ["https://gitlab.example/jwt", "https://registry.gitlab.example/v2", true],
    ["https://r.example/token", "https://r.example:5000/v2", true],
    ["http://127.0.0.1:5001/token", "http://localhost:5000/v2", true],
    ["https://auth.other.example/token", "https://r.example.net/v2", false],
    ["https://auth.one.co.uk/token", "https://reg.two.co.uk/v2", false],
    ["http://10.0.0.2/token", "http://10.0.0.1/v2", false],
  ])("%s may be asked for %s; with credentials: %s", (realm, registry, trusted) => {
    expect(checkRealm(realm, new URL(registry))).toMatchObject({ trusted });
  });

  test.each([
    ["http://auth.r.example/token", "needs https"],
    ["https://user@r.example/token", "user name"],
    ["file:///etc/passwd", "http or https"],
    ["", "http or https"],
    ["//r.example/token", "http or https"],
  ])("refuses %j", (realm, message) => {
    expect(() => checkRealm(realm, new URL("https://r.example/v2"))).toThrow(
      expect.objectContaining({ code: "PermissionDenied", message: expect.stringContaining(message) }),
    );
  });
});
