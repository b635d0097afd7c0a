import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { defaultTransport } from "../../src/images/blob-source.ts";
import { loadRegistryHosts, serverUrl } from "../../src/images/hosts-config.ts";

const pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n";
const top = mkdtempSync(join(tmpdir(), "podling-hosts-"));
let count = 0;
let directory = "";

beforeEach(() => {
  directory = join(top, String(count++));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

function write(folder: string, text: string, file = "hosts.toml"): string {
  mkdirSync(join(directory, folder), { recursive: true });
  writeFileSync(join(directory, folder, file), text);
  return join(directory, folder, file);
}

const plain = { resolve: true, pull: true, headers: {}, transport: defaultTransport, mirrorOf: undefined };

describe("serverUrl()", () => {
  test.each([
    ["docker.io", "https://registry-1.docker.io"],
    ["registry.example", "https://registry.example"],
    ["registry.example:5000", "https://registry.example:5000"],
    ["localhost:5000", "http://localhost:5000"],
    ["localhost", "http://localhost"],
    ["127.1.2.3:5000", "http://127.1.2.3:5000"],
    ["[::1]:5000", "http://[::1]:5000"],
    ["localhost:443", "https://localhost:443"],
    ["10.0.0.1:5000", "https://10.0.0.1:5000"],
  ])("asks %s at %s", (registry, url) => {
    expect(serverUrl(registry)).toBe(url);
  });
});

describe("loadRegistryHosts()", () => {
  test.each(["", "/nonexistent/certs.d"])("without a directory (%j) there is the server alone", async (path) => {
    expect(await loadRegistryHosts(path, "docker.io")).toEqual([
      { ...plain, baseUrl: "https://registry-1.docker.io/v2" },
    ]);
  });

  test("lists mirrors in the file's order, then the server", async () => {
    write(
      "docker.io",
      `server = "https://hub.example"
       skip_verify = true
       [host."http://z-mirror.example:5000"]
       capabilities = ["pull"]
       [host."https://a-mirror.example/cache/"]
       dial_timeout = "1.5s"
       [host."https://raw.example/api/hub"]
       override_path = true
       header = { "X-Team" = ["red", "blue"] }
       [host."bare.example:8443"]`,
    );
    const hosts = await loadRegistryHosts(directory, "docker.io");
    const mirrorOf = "docker.io";
    expect(hosts).toEqual([
      { ...plain, baseUrl: "http://z-mirror.example:5000/v2", resolve: false, mirrorOf },
      {
        ...plain,
        baseUrl: "https://a-mirror.example/cache/v2",
        mirrorOf,
        transport: { ...defaultTransport, dialTimeoutMs: 1500 },
      },
      { ...plain, baseUrl: "https://raw.example/api/hub", mirrorOf, headers: { "x-team": "red, blue" } },
      { ...plain, baseUrl: "https://bare.example:8443/v2", mirrorOf },
      {
        ...plain,
        baseUrl: "https://hub.example/v2",
        mirrorOf,
        transport: { ...defaultTransport, tls: { ...defaultTransport.tls, skipVerify: true } },
      },
    ]);
  });

  test("reads certificates as a file, a list of files and pairs of files, relative to the folder", async () => {
    for (const name of ["ca.pem", "one.pem", "two.crt", "two.key"]) write("r.example", `${name}\n${pem}`, name);
    const read = (name: string) => `${name}\n${pem}`;
    write(
      "r.example",
      `ca = "ca.pem"
       client = "one.pem"
       [host."https://m.example"]
       ca = ["ca.pem", "${join(directory, "r.example", "one.pem")}"]
       client = [["two.crt", "two.key"], ["one.pem", ""]]`,
    );
    const [mirror, server] = await loadRegistryHosts(directory, "r.example");
    expect(mirror?.transport.tls).toEqual({
      ca: [read("ca.pem"), read("one.pem")],
      client: [
        { cert: read("two.crt"), key: read("two.key") },
        { cert: read("one.pem"), key: read("one.pem") },
      ],
      skipVerify: false,
    });
    expect(server?.transport.tls).toMatchObject({
      ca: [read("ca.pem")],
      client: [{ cert: read("one.pem"), key: read("one.pem") }],
    });
  });

  test("takes the folder with port first, then the plain name, then _default", async () => {
    write("_default", `server = "http://default.example"`);
    const base = async (registry: string) => (await loadRegistryHosts(directory, registry))[0]?.baseUrl;
    expect(await base("r.example:5000")).toBe("http://default.example/v2");
    write("r.example:5000", `server = "http://colon.example"`);
    expect(await base("r.example:5000")).toBe("http://colon.example/v2");
    write("r.example_5000_", `server = "http://underscore.example"`);
    expect(await base("r.example:5000")).toBe("http://underscore.example/v2");
    expect(await base("other.example")).toBe("http://default.example/v2");
  });

  test("a folder without hosts.toml is read as Docker's", async () => {
    write("r.example", "CA", "ca.crt");
    write("r.example", "CERT", "client.cert");
    write("r.example", "KEY", "client.key");
    const [server] = await loadRegistryHosts(directory, "r.example");
    expect(server?.transport.tls).toEqual({ ca: ["CA"], client: [{ cert: "CERT", key: "KEY" }], skipVerify: false });
  });

  test.each<[string, string, string]>([
    ["an unknown key", "sevrer = 'https://x'", "key sevrer is unknown"],
    [
      "an unknown key of a host",
      `[host."https://m.example"]\nskip-verify = true`,
      'key host."https://m.example".skip-verify is unknown',
    ],
    ["an unknown capability", `[host."https://m.example"]\ncapabilities = ["fly"]`, '"fly" is none of'],
    ["a capability that is no list", `capabilities = "pull"`, "list of strings"],
    ["a server that is no URL", `server = "https://"`, "key server must be an http or https URL"],
    ["a server with a password", `server = "https://u:p@r.example"`, "key server must be"],
    ["skip_verify as text", `skip_verify = "true"`, "must be true or false"],
    ["a missing certificate", `ca = "missing.pem"`, 'Cannot read "missing.pem" of key server.ca'],
    ["a certificate that is none", `ca = "hosts.toml"`, "is no PEM file"],
    ["a duration without unit", `dial_timeout = "5"`, 'such as "5s"'],
    ["a header of two lines", `header = { "X-A" = "b\\r\\nc" }`, "no header of one line"],
    ["host as a value", `host = "x"`, "key host must be a table"],
    ["broken TOML", `server = "http://x"\n[[[`, "hosts.toml:2"],
  ])("refuses %s and names file and key", async (_name, text, message) => {
    const file = write("r.example", text);
    const failure = await loadRegistryHosts(directory, "r.example").catch((error) => error);
    expect(failure).toMatchObject({ code: "FailedPrecondition" });
    expect(failure.message).toContain(file);
    expect(failure.message).toContain(message);
  });
});
