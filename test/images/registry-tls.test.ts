import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultLimits } from "../../src/images/blob-source.ts";
import { ConnectionPool } from "../../src/images/connection-pool.ts";
import { loadRegistryHosts } from "../../src/images/hosts-config.ts";
import { parseReference } from "../../src/images/reference.ts";
import { RegistryAuth } from "../../src/images/registry-auth.ts";
import { RegistryClient } from "../../src/images/registry-client.ts";
import { ScriptedServer } from "./scripted-server.ts";

const directory = mkdtempSync(join(tmpdir(), "podling-tls-"));
const limits = { ...defaultLimits, triesWithoutProgress: 1, retryDelayMs: 1 };
const pool = new ConnectionPool();
const seen: { readonly certificate: string | undefined; readonly authorization: string | undefined }[] = [];
let server: Server;
let redirect: string | undefined;

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
}

/** A certificate for the loopback address, signed by the test's authority. */
function certificate(name: string): void {
  openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
    "-subj",
    `/CN=${name}`,
  );
  writeFileSync(join(directory, `${name}.ext`), "subjectAltName=IP:127.0.0.1");
  const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
  openssl(
    "x509",
    "-req",
    "-in",
    `${name}.csr`,
    "-out",
    `${name}.crt`,
    "-days",
    "2",
    "-extfile",
    `${name}.ext`,
    ...authority,
  );
}

beforeAll(async () => {
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=test",
  );
  certificate("server");
  certificate("client");
  const read = (name: string) => readFileSync(join(directory, name));
  const options = {
    cert: read("server.crt"),
    key: read("server.key"),
    ca: read("ca.crt"),
    requestCert: true,
    rejectUnauthorized: false,
  };
  server = createServer(options, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    const certificate = peer?.subject?.CN;
    seen.push({
      certificate: typeof certificate === "string" ? certificate : undefined,
      authorization: request.headers.authorization,
    });
    if (redirect === undefined) response.end("{}");
    else response.writeHead(307, { location: redirect }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function resolve(settings: string): Promise<unknown> {
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = join(directory, "certs.d", host);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "hosts.toml"), `server = "https://${host}"\n${settings}`);
  const auth = new RegistryAuth({ pool, limits, nowMs: Date.now });
  const hosts = (registry: string) => loadRegistryHosts(join(directory, "certs.d"), registry);
  const client = await RegistryClient.open({ pool, auth, limits, hosts }, parseReference(`${host}/app:1`), {
    registryToken: "t",
  });
  return client.resolve(undefined);
}

const ca = 'ca = "../../ca.crt"';

describe("a registry over TLS", () => {
  test("is refused when nobody vouches for its certificate", async () => {
    await expect(resolve("")).rejects.toMatchObject({
      code: "RegistryUnavailable",
      message: expect.stringContaining("certificate"),
    });
  });

  test("is trusted by a CA of hosts.toml, and shown the client's certificate", async () => {
    await resolve(ca);
    expect(seen.at(-1)?.certificate).toBeUndefined();
    await resolve(`${ca}\nclient = [["../../client.crt", "../../client.key"]]`);
    expect(seen.at(-1)).toEqual({ certificate: "client", authorization: "Bearer t" });
  });

  test("is not checked with skip_verify, for this host alone", async () => {
    await resolve("skip_verify = true");
    await expect(resolve("")).rejects.toMatchObject({ code: "RegistryUnavailable" });
  });

  test("must not send us to plain http", async () => {
    await using plain = await ScriptedServer.start((_request, response) => void response.end("{}"));
    redirect = `${plain.url}/x`;
    await expect(resolve(ca)).rejects.toMatchObject({
      code: "PermissionDenied",
      message: expect.stringContaining("leaving https"),
    });
    expect(plain.requests).toEqual([]);
    redirect = undefined;
  });
});
