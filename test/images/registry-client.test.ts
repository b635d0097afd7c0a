import { createHash } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { type Digest, parseDigest } from "../../src/common/ids.ts";
import { defaultLimits, defaultTransport } from "../../src/images/blob-source.ts";
import { ConnectionPool } from "../../src/images/connection-pool.ts";
import type { Descriptor } from "../../src/images/manifest.ts";
import { parseReference } from "../../src/images/reference.ts";
import { RegistryAuth } from "../../src/images/registry-auth.ts";
import { RegistryClient } from "../../src/images/registry-client.ts";
import type { RegistryCredentials } from "../../src/images/registry-credentials.ts";
import type { RegistryHost } from "../../src/images/registry-host.ts";
import { type Script, ScriptedServer, type SeenRequest } from "./scripted-server.ts";

const mediaType = "application/vnd.oci.image.manifest.v1+json";
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, layers: [], config: {} }));
const digest = digestOf(manifest);
const limits = {
  ...defaultLimits,
  headersTimeoutMs: 2_000,
  stallTimeoutMs: 1_000,
  triesWithoutProgress: 3,
  retryDelayMs: 1,
  maxRetryDelayMs: 20,
};
const pool = new ConnectionPool();
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;

afterAll(() => pool[Symbol.asyncDispose]());

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
}

function hostOf(server: ScriptedServer, more: Partial<RegistryHost> = {}): RegistryHost {
  const plain = { resolve: true, pull: true, headers: {}, transport: defaultTransport, mirrorOf: undefined };
  return { ...plain, baseUrl: `${server.url}/v2`, ...more };
}

interface Given {
  readonly hosts: readonly RegistryHost[];
  readonly name?: string;
  readonly credentials?: RegistryCredentials;
  readonly auth?: RegistryAuth;
}

function newAuth(nowMs: () => number = Date.now): RegistryAuth {
  return new RegistryAuth({ pool, limits, nowMs });
}

function open({ hosts, name = "app:1", credentials, auth = newAuth() }: Given): Promise<RegistryClient> {
  const host = new URL(hosts.at(-1)?.baseUrl ?? "").host;
  return RegistryClient.open(
    { pool, auth, limits, hosts: async () => hosts },
    parseReference(`${host}/${name}`),
    credentials,
  );
}

async function resolve(given: Given) {
  return (await open(given)).resolve(undefined);
}

const good: Script = (_request, response) => {
  response.writeHead(200, { "content-type": mediaType, "docker-content-digest": "sha256:lies" }).end(manifest);
};

/** A registry that wants a token of `realm`, and serves whoever brings "Bearer good". */
function wantsToken(realm: () => string): Script {
  return (request, response, count) => {
    if (request.headers.authorization === "Bearer good") return good(request, response, count);
    response
      .writeHead(401, {
        "www-authenticate": `Bearer realm="${realm()}",service="svc",scope="repository:app:*,registry:catalog:*"`,
      })
      .end();
  };
}

const givesToken: Script = (_request, response) =>
  void response.writeHead(200).end(JSON.stringify({ token: "good", expires_in: 300 }));

function authorizations(requests: readonly SeenRequest[]) {
  return requests.map((request) => request.headers.authorization);
}

describe("RegistryClient", () => {
  test("names a tag's document by the hash of its bytes, whatever the registry calls it", async () => {
    await using server = await ScriptedServer.start(good);
    expect(await resolve({ hosts: [hostOf(server)] })).toEqual({ bytes: manifest, digest, contentType: mediaType });
    expect(server.requests[0]).toMatchObject({
      path: "/v2/app/manifests/1",
      headers: { accept: expect.stringContaining(mediaType) },
    });
  });

  test.each<[string, Script, object]>([
    ["another document than the digest's", (_request, response) => void response.end("{}"), { code: "DataLoss" }],
    [
      "a document of 5 MiB",
      (_request, response) => void response.end(Buffer.alloc(5 * 1024 * 1024)),
      { code: "DataLoss" },
    ],
    [
      "the announcement of 1 GiB",
      (_request, response) => void response.writeHead(200, { "content-length": 2 ** 30 }).write("{"),
      { code: "DataLoss" },
    ],
    [
      "a gzip encoding",
      (_request, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end("x"),
      { code: "DataLoss" },
    ],
    ["404", (_request, response) => void response.writeHead(404).end(), { code: "NotFound" }],
    ["403", (_request, response) => void response.writeHead(403).end(), { code: "PermissionDenied" }],
    ["500 for ever", (_request, response) => void response.writeHead(500).end(), { code: "RegistryUnavailable" }],
    [
      "401 without a challenge",
      (_request, response) => void response.writeHead(401).end(),
      { code: "Unauthenticated" },
    ],
    [
      "a header of 20 KiB",
      (_request, response) => void response.writeHead(200, { "x-long": "x".repeat(20_000) }).end(),
      { code: "RegistryUnavailable" },
    ],
    ["silence", () => undefined, { code: "RegistryUnavailable" }],
  ])("fails clearly on %s", { timeout: 20_000 }, async (_name, script, error) => {
    await using server = await ScriptedServer.start(script);
    await expect(resolve({ hosts: [hostOf(server)], name: `app@${digest}` })).rejects.toMatchObject(error);
  });

  test("a registry that is down is RegistryUnavailable and names the place", async () => {
    const server = await ScriptedServer.start(good);
    const host = hostOf(server);
    await server[Symbol.asyncDispose]();
    const message = expect.stringContaining(new URL(host.baseUrl).host);
    await expect(resolve({ hosts: [host] })).rejects.toMatchObject({ code: "RegistryUnavailable", message });
  });

  test("tries again after 429 and 503", async () => {
    await using server = await ScriptedServer.start((request, response, count) => {
      if (count === 1) response.writeHead(429, { "retry-after": "1" }).end();
      else if (count === 2) response.writeHead(503).end();
      else good(request, response, count);
    });
    expect((await resolve({ hosts: [hostOf(server)] })).digest).toBe(digest);
  });

  test("asks mirrors in order, tells them whose image it is, and falls back to the server", async () => {
    await using broken = await ScriptedServer.start((_request, response) => void response.writeHead(500).end());
    await using empty = await ScriptedServer.start((_request, response) => void response.writeHead(404).end());
    await using noResolve = await ScriptedServer.start(good);
    await using server = await ScriptedServer.start(good);
    const mirrorOf = "docker.io";
    const hosts = [
      hostOf(broken, { mirrorOf }),
      hostOf(empty, { mirrorOf }),
      hostOf(noResolve, { resolve: false }),
      hostOf(server),
    ];
    expect((await resolve({ hosts })).digest).toBe(digest);
    expect(broken.requests.map((request) => request.path)).toEqual(["/v2/app/manifests/1?ns=docker.io"]);
    expect(empty.requests).toHaveLength(1);
    expect(noResolve.requests).toHaveLength(0);
  });

  test("a mirror's wrong bytes are not the end when the server has the right ones", async () => {
    await using mirror = await ScriptedServer.start((_request, response) => void response.end("{}"));
    await using server = await ScriptedServer.start(good);
    const document = await resolve({ hosts: [hostOf(mirror), hostOf(server)], name: `app@${digest}` });
    expect(document.bytes).toEqual(manifest);
  });

  test("answers a Basic challenge, once, with the caller's password", async () => {
    await using server = await ScriptedServer.start((request, response, count) => {
      if (request.headers.authorization === basic) return good(request, response, count);
      response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    });
    const hosts = [hostOf(server)];
    expect((await resolve({ hosts, credentials: { username: "ann", password: "s3cret" } })).digest).toBe(digest);
    expect(authorizations(server.requests)).toEqual([undefined, basic]);
    const wrong = resolve({ hosts, credentials: { username: "ann", password: "wrong" } });
    await expect(wrong).rejects.toMatchObject({
      code: "Unauthenticated",
      message: expect.not.stringContaining("wrong"),
    });
    expect(server.requests.length).toBeLessThanOrEqual(5);
    await expect(resolve({ hosts })).rejects.toMatchObject({ code: "Unauthenticated" });
  });

  test("fetches a token for pulling this repository only, and keeps it for 80 percent of its life", async () => {
    await using tokens = await ScriptedServer.start(givesToken);
    await using server = await ScriptedServer.start(wantsToken(() => `${tokens.url}/token?x=1`));
    let nowMs = 1_000_000;
    const auth = newAuth(() => nowMs);
    const given = { hosts: [hostOf(server)], auth, credentials: { username: "ann", password: "s3cret" } };
    await resolve(given);
    expect(tokens.requests).toMatchObject([
      {
        method: "GET",
        path: "/token?x=1&service=svc&scope=repository%3Aapp%3Apull",
        headers: { authorization: basic },
      },
    ]);
    await resolve(given);
    expect(tokens.requests).toHaveLength(1);
    nowMs += 241_000;
    await resolve(given);
    expect(tokens.requests).toHaveLength(2);
  });

  test("sends an identity token as an OAuth2 form", async () => {
    await using tokens = await ScriptedServer.start((_request, response) => {
      response.writeHead(200).end(JSON.stringify({ access_token: "good" }));
    });
    await using server = await ScriptedServer.start(wantsToken(() => `${tokens.url}/token`));
    await resolve({ hosts: [hostOf(server)], credentials: { identityToken: "refresh" } });
    expect(tokens.requests).toMatchObject([
      {
        method: "POST",
        path: "/token",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: "grant_type=refresh_token&client_id=podling&service=svc&scope=repository%3Aapp%3Apull&refresh_token=refresh",
      },
    ]);
    expect(tokens.requests[0]?.headers.authorization).toBeUndefined();
  });

  test("brings a registry token at once", async () => {
    await using server = await ScriptedServer.start(wantsToken(() => "http://unused.example"));
    await resolve({ hosts: [hostOf(server)], credentials: { registryToken: "good" } });
    expect(authorizations(server.requests)).toEqual(["Bearer good"]);
  });

  test("fetches a new token when the cached one is refused", async () => {
    let current = "one";
    await using tokens = await ScriptedServer.start(
      (_request, response) => void response.end(JSON.stringify({ token: current })),
    );
    await using server = await ScriptedServer.start((request, response, count) => {
      if (request.headers.authorization === `Bearer ${current}`) return good(request, response, count);
      response.writeHead(401, { "www-authenticate": `Bearer realm="${tokens.url}/t"` }).end();
    });
    const given = { hosts: [hostOf(server)], auth: newAuth() };
    await resolve(given);
    current = "two";
    await resolve(given);
    expect(tokens.requests).toHaveLength(2);
  });

  test.each<[string, Script, string]>([
    ["refuses", (_request, response) => void response.writeHead(401).end(), "Unauthenticated"],
    [
      "redirects",
      (_request, response) => void response.writeHead(302, { location: "/elsewhere" }).end(),
      "RegistryUnavailable",
    ],
    ["gives no token", (_request, response) => void response.end("{}"), "RegistryUnavailable"],
    [
      "gives a header injection",
      (_request, response) => void response.end(JSON.stringify({ token: "a\r\nX-B: c" })),
      "RegistryUnavailable",
    ],
    ["sends a megabyte", (_request, response) => void response.end(Buffer.alloc(1024 * 1024, " ")), "DataLoss"],
    ["is broken", (_request, response) => void response.writeHead(500).end(), "RegistryUnavailable"],
  ])("a token server that %s ends the pull", async (_name, script, code) => {
    await using tokens = await ScriptedServer.start(script);
    await using server = await ScriptedServer.start(wantsToken(() => `${tokens.url}/token`));
    await expect(resolve({ hosts: [hostOf(server)] })).rejects.toMatchObject({ code });
    expect(tokens.requests.map((request) => request.path)).not.toContain("/elsewhere");
  });

  test.each([
    ["http://169.254.169.254/latest", undefined, "PermissionDenied"],
    ["http://100.100.100.200/latest", undefined, "PermissionDenied"],
    ["http://[::ffff:169.254.169.254]/", undefined, "PermissionDenied"],
    ["http://user:pass@127.0.0.1/", undefined, "PermissionDenied"],
    ["gopher://127.0.0.1/", undefined, "PermissionDenied"],
    ["https://auth.other.example/token", { username: "ann", password: "s3cret" }, "PermissionDenied"],
    ["https://auth.other.example/token", { identityToken: "s3cret" }, "PermissionDenied"],
  ])("refuses to ask token server %s", async (realm, credentials, code) => {
    await using server = await ScriptedServer.start(wantsToken(() => realm));
    const pull = resolve({ hosts: [hostOf(server)], ...(credentials && { credentials }) });
    await expect(pull).rejects.toMatchObject({ code, message: expect.not.stringMatching(/s3cret|user:pass/) });
  });

  test("reads a blob with a token it had to renew, and checks its digest", async () => {
    const bytes = Buffer.from("{}");
    await using tokens = await ScriptedServer.start(givesToken);
    await using server = await ScriptedServer.start((request, response) => {
      if (request.headers.authorization === "Bearer good") response.end(bytes);
      else response.writeHead(401, { "www-authenticate": `Bearer realm="${tokens.url}/t"` }).end();
    });
    const client = await open({ hosts: [hostOf(server)] });
    const blob = (of: Digest): Descriptor => ({
      mediaType: "x",
      digest: of,
      sizeBytes: bytes.length,
      platform: undefined,
    });
    expect(await client.blob(blob(digestOf(bytes)), 100, undefined)).toEqual(bytes);
    expect(server.requests.map((request) => request.path)).toContain("/v2/");
    await expect(client.blob(blob(digest), 100, undefined)).rejects.toMatchObject({ code: "DataLoss" });
    await expect(client.blob(blob(digest), 1, undefined)).rejects.toMatchObject({ code: "FailedPrecondition" });
  });

  test("a blob's source carries the authorization and headers of each host apart", async () => {
    await using server = await ScriptedServer.start(good);
    const credentials = { registryToken: "t", serverAddress: new URL(server.url).host };
    const mirror = { ...hostOf(server), baseUrl: "http://mirror.example/v2", mirrorOf: "r", headers: { "x-key": "k" } };
    const client = await open({ hosts: [mirror, hostOf(server)], credentials });
    expect(client.blobSource({ digest, sizeBytes: 5 }).endpoints).toEqual([
      {
        url: `http://mirror.example/v2/app/blobs/${digest}?ns=r`,
        privateHeaders: { "x-key": "k" },
        transport: defaultTransport,
      },
      {
        url: `${server.url}/v2/app/blobs/${digest}`,
        privateHeaders: { authorization: "Bearer t" },
        transport: defaultTransport,
      },
    ]);
  });

  test("ends with the caller's reason", async () => {
    await using server = await ScriptedServer.start(() => undefined);
    const client = await open({ hosts: [hostOf(server)] });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("gone")), 30);
    await expect(client.resolve(controller.signal)).rejects.toThrow("gone");
  });
});
