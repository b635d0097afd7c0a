import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Digest, parseDigest } from "../../src/common/ids.ts";
import {
  type BlobEndpoint,
  type BlobSource,
  defaultLimits,
  defaultTransport,
  type TransferLimits,
} from "../../src/images/blob-source.ts";
import { openBlob } from "../../src/images/blob-stream.ts";
import { type Script, ScriptedServer, type SeenRequest } from "./scripted-server.ts";

const blob = randomBytes(3 * 1024 * 1024 + 17);
const digest = digestOf(blob);
const quick: TransferLimits = {
  ...defaultLimits,
  headersTimeoutMs: 2_000,
  stallTimeoutMs: 1_000,
  triesWithoutProgress: 3,
  retryDelayMs: 1,
  maxRetryDelayMs: 20,
};

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
}

function endpoint(server: ScriptedServer, privateHeaders: Record<string, string> = {}): BlobEndpoint {
  return { url: `${server.url}/v2/app/blobs/${digest}`, privateHeaders, transport: defaultTransport };
}

function source(...endpoints: BlobEndpoint[]): BlobSource {
  return { digest, sizeBytes: blob.length, endpoints, limits: quick };
}

async function read(from: BlobSource, signal?: AbortSignal): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of openBlob(from, signal)) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Serves ranges as a registry does, and cuts the connection after `cutAfter` body bytes when given. */
function serve(cutAfter?: (count: number) => number | undefined): Script {
  return (request, response, count) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(String(request.headers["range"] ?? ""));
    const start = range === null ? 0 : Number(range[1]);
    const body = blob.subarray(start);
    response.writeHead(range === null ? 200 : 206, {
      "content-length": body.length,
      ...(range !== null && { "content-range": `bytes ${start}-${blob.length - 1}/${blob.length}` }),
    });
    const cut = cutAfter?.(count);
    if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 30));
  };
}

describe("openBlob()", () => {
  test("yields the blob in one request and asks for no encoding", async () => {
    await using server = await ScriptedServer.start(serve());
    expect((await read(source(endpoint(server)))).equals(blob)).toBe(true);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
    expect(server.requests[0]?.headers["range"]).toBeUndefined();
  });

  test.each([1, 1000, 1024 * 1024])("resumes with a closed range after a cut at byte %i", async (cut) => {
    await using server = await ScriptedServer.start(serve((count) => (count <= 4 ? cut : undefined)));
    expect((await read(source(endpoint(server)))).equals(blob)).toBe(true);
    const asked = server.requests.slice(1).map((request) => String(request.headers["range"]));
    expect(asked.length).toBeGreaterThan(0);
    for (const range of asked) expect(range).toMatch(new RegExp(`^bytes=\\d+-${blob.length - 1}$`));
  });

  test("skips what it has when the host ignores the range", async () => {
    await using server = await ScriptedServer.start((_request, response, count) => {
      response.writeHead(200, { "content-length": blob.length });
      if (count === 1) response.write(blob.subarray(0, 700_000), () => setTimeout(() => response.destroy(), 30));
      else response.end(blob);
    });
    expect((await read(source(endpoint(server)))).equals(blob)).toBe(true);
  });

  test.each<[string, Script]>([
    [
      "416",
      (request, response, count) => {
        if (request.headers["range"] !== undefined) response.writeHead(416).end();
        else serve(() => (count === 1 ? 500_000 : undefined))(request, response, count);
      },
    ],
    [
      "another range",
      (request, response, count) => {
        if (request.headers["range"] === undefined)
          serve(() => (count === 1 ? 500_000 : undefined))(request, response, count);
        else response.writeHead(206, { "content-range": `bytes 0-9/${blob.length}` }).end("0123456789");
      },
    ],
  ])("reads from the start again when a range is answered with %s", async (_name, script) => {
    await using server = await ScriptedServer.start(script);
    expect((await read(source(endpoint(server)))).equals(blob)).toBe(true);
  });

  test("goes back to the registry when a signed URL ran out", async () => {
    await using storage = await ScriptedServer.start((request, response, count) => {
      if (count === 2) response.writeHead(403).end("Request has expired");
      else serve(() => (count === 1 ? 400_000 : undefined))(request, response, count);
    });
    await using server = await ScriptedServer.start((_request, response, count) => {
      response.writeHead(307, { location: `${storage.url}/bucket?signature=secret${count}` }).end();
    });
    expect((await read(source(endpoint(server)))).equals(blob)).toBe(true);
    expect(server.requests).toHaveLength(3);
    expect(storage.requests.map((request) => request.path)).toEqual(
      [1, 2, 3].map((n) => `/bucket?signature=secret${n}`),
    );
  });

  test("keeps authorization from other origins and gives it to its own at every hop", async () => {
    const secret = { authorization: "Bearer s3cret", "x-api-key": "k3y" };
    await using storage = await ScriptedServer.start(serve(), "127.0.0.2");
    await using server = await ScriptedServer.start((request, response) => {
      const target = request.path === "/inner" ? `${storage.url}/b` : "/inner";
      response.writeHead(302, { location: target }).end();
    });
    expect((await read(source(endpoint(server, secret)))).equals(blob)).toBe(true);
    expect(server.requests.map((request) => request.headers)).toMatchObject([secret, secret]);
    const foreign = storage.requests.map((request: SeenRequest) => Object.keys(request.headers).sort());
    expect(foreign).toEqual([["accept-encoding", "connection", "host", "user-agent"]]);
  });

  test("a token that ran out midway is Unauthenticated, so that the caller can come with a new one", async () => {
    await using server = await ScriptedServer.start((request, response, count) => {
      if (count > 1) response.writeHead(401, { "www-authenticate": "Bearer" }).end();
      else serve(() => 100_000)(request, response, count);
    });
    await expect(read(source(endpoint(server)))).rejects.toMatchObject({ code: "Unauthenticated" });
  });

  test("continues at the next host where the first broke", async () => {
    await using first = await ScriptedServer.start((request, response, count) => {
      if (count > 1) response.writeHead(404).end();
      else serve(() => 1_000_000)(request, response, count);
    });
    await using second = await ScriptedServer.start(serve());
    expect((await read(source(endpoint(first), endpoint(second)))).equals(blob)).toBe(true);
    expect(second.requests[0]?.headers["range"]).toMatch(/^bytes=\d+-/);
  });

  test("waits as 429 asks and tries again", async () => {
    await using server = await ScriptedServer.start((request, response, count) => {
      if (count <= 2) response.writeHead(429, { "retry-after": "3600" }).end();
      else serve()(request, response, count);
    });
    expect((await read(source(endpoint(server)))).equals(blob)).toBe(true);
    expect(server.requests).toHaveLength(3);
  });

  const refusals: ReadonlyArray<readonly [string, Script, object, number]> = [
    [
      "more bytes than promised",
      (_request, response) => void response.writeHead(200).end(Buffer.concat([blob, Buffer.from("x")])),
      { code: "DataLoss", message: expect.stringContaining("more bytes") },
      1,
    ],
    [
      "another Content-Length",
      (_request, response) => void response.writeHead(200, { "content-length": 5 }).end("12345"),
      { code: "DataLoss", message: expect.stringContaining("5 bytes") },
      1,
    ],
    [
      "fewer bytes each time",
      (request, response) => void response.writeHead(200).end(request.headers["range"] ? "" : blob.subarray(0, 100)),
      { code: "DataLoss", message: expect.stringContaining("only 100 bytes") },
      3,
    ],
    [
      "a content encoding",
      (_request, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(blob),
      { code: "DataLoss", message: expect.stringContaining("Content-Encoding") },
      1,
    ],
    ["nothing at all", () => undefined, { code: "RegistryUnavailable" }, 3],
    [
      "a stalled body",
      (_request, response) => void response.writeHead(200, { "content-length": blob.length }).flushHeaders(),
      { code: "RegistryUnavailable" },
      3,
    ],
    ["503 for ever", (_request, response) => void response.writeHead(503).end(), { code: "RegistryUnavailable" }, 3],
    ["404", (_request, response) => void response.writeHead(404).end(), { code: "NotFound" }, 1],
    [
      "a redirect loop",
      (request, response) => void response.writeHead(302, { location: `${request.path}x` }).end(),
      { code: "RegistryUnavailable", message: expect.stringContaining("more than 5 times") },
      18,
    ],
    [
      "a redirect to a metadata service",
      (_request, response) => void response.writeHead(302, { location: "http://100.100.100.200/latest" }).end(),
      { code: "PermissionDenied" },
      1,
    ],
    [
      "a redirect to a file",
      (_request, response) => void response.writeHead(302, { location: "file:///etc/shadow" }).end(),
      { code: "PermissionDenied" },
      1,
    ],
  ];
  test.each(refusals)(
    "gives up when the host sends %s",
    { timeout: 20_000 },
    async (_name, script, error, requests) => {
      await using server = await ScriptedServer.start(script);
      await expect(read(source(endpoint(server)))).rejects.toMatchObject(error);
      expect(server.requests.length).toBeLessThanOrEqual(requests + 1);
    },
  );

  test("shows a registry's own words without the secrets of URLs", async () => {
    const said = { errors: [{ code: "DENIED", message: "see https://s.example/x?sig=s3cret\n\u001b[31mnow" }] };
    await using server = await ScriptedServer.start((_request, response) => {
      response.writeHead(403, { "content-type": "application/json" }).end(JSON.stringify(said));
    });
    const failure = await read(source(endpoint(server))).catch((error: Error) => error.message);
    expect(failure).toContain("DENIED: see https://s.example/x?… [31mnow");
  });

  test("ends with the signal's reason while the host is silent", async () => {
    await using server = await ScriptedServer.start(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("gone")), 50);
    await expect(read(source(endpoint(server)), controller.signal)).rejects.toThrow("gone");
  });

  test("an empty blob is one request and no bytes", async () => {
    await using server = await ScriptedServer.start((_request, response) => void response.writeHead(200).end());
    const empty = { ...source(endpoint(server)), digest: digestOf(new Uint8Array()), sizeBytes: 0 };
    expect(await read(empty)).toHaveLength(0);
    expect(server.requests).toHaveLength(1);
  });
});
