import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultLimits, defaultTransport } from "../../src/images/blob-source.ts";
import { ConnectionPool } from "../../src/images/connection-pool.ts";
import { sendRequest } from "../../src/images/registry-http.ts";
import { ScriptedServer } from "./scripted-server.ts";

const variables = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
const saved = new Map<string, string | undefined>();
const asked: string[] = [];
let proxy: Server;

beforeEach(async () => {
  for (const name of variables) {
    saved.set(name, process.env[name]);
    delete process.env[name];
  }
  asked.length = 0;
  proxy = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(204).end();
  });
  proxy.on("connect", (request, client) => {
    asked.push(`CONNECT ${request.url}`);
    client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  for (const [name, value] of saved) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  proxy.closeAllConnections();
  proxy.close();
});

async function statusOf(url: string): Promise<number> {
  await using pool = new ConnectionPool();
  const common = { method: "GET", headers: {}, privateHeaders: {}, transport: defaultTransport } as const;
  const limits = { ...defaultLimits, headersTimeoutMs: 2_000 };
  const response = await sendRequest(pool, {
    ...common,
    url,
    limits,
    followRedirects: true,
    signal: AbortSignal.timeout(5_000),
  });
  response.body.resume();
  return response.status;
}

describe("ConnectionPool", () => {
  test("goes through the proxy of the environment, and past it to this machine and to NO_PROXY", async () => {
    await using server = await ScriptedServer.start((_request, response) => void response.end("x"));
    process.env["HTTP_PROXY"] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    process.env["HTTPS_PROXY"] = process.env["HTTP_PROXY"];
    expect(await statusOf("http://registry.example/v2/")).toBe(204);
    await expect(statusOf("https://registry.example/v2/")).rejects.toMatchObject({ code: "RegistryUnavailable" });
    const viaProxy = ["http://registry.example/v2/", "CONNECT registry.example:443"];
    expect(asked).toEqual(viaProxy);
    expect(await statusOf(`${server.url}/v2/`)).toBe(200);
    process.env["NO_PROXY"] = "registry.example";
    await expect(statusOf("http://registry.example/v2/")).rejects.toMatchObject({
      code: "RegistryUnavailable",
    });
    expect(asked).toEqual(viaProxy);
  });

  test("refuses a name that resolves to a loopback address when a public host sent us there", async () => {
    await using pool = new ConnectionPool();
    await using server = await ScriptedServer.start((_request, response) => void response.end("x"));
    const common = { method: "GET", headers: {}, privateHeaders: {}, transport: defaultTransport } as const;
    const url = `http://localhost:${server.host.split(":")[1]}/`;
    const request = { ...common, url, limits: defaultLimits, followRedirects: true, signal: undefined };
    await expect(sendRequest(pool, { ...request, addressRule: "elsewhere" })).rejects.toMatchObject({
      code: "PermissionDenied",
    });
    expect((await sendRequest(pool, request)).status).toBe(200);
  });
});
