import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, TomlError, type TomlTable } from "smol-toml";
import { AgentError, errnoOf } from "../common/errors.ts";
import { bareHost, isLoopbackHost } from "./address-guard.ts";
import { defaultTransport, type TlsSettings } from "./blob-source.ts";
import { parseHostsToml } from "./hosts-toml.ts";
import type { RegistryHost } from "./registry-host.ts";

/**
 * The hosts to ask for a registry's images, in order: the mirrors of its `hosts.toml` as the file lists them, then the server.
 * Read again for each pull, so that a change needs no restart. The file is the first found of `host_port_/`, `host:port/`
 * and `_default/` under the directory, as in containerd; a folder without it is read as Docker's (`*.crt`, `*.cert`, `*.key`).
 * @param configPath directory; "" or a missing one: no configuration
 * @param registry as in a reference, such as "docker.io" or "localhost:5000"
 * @throws AgentError FailedPrecondition naming file, line and key
 */
export async function loadRegistryHosts(configPath: string, registry: string): Promise<readonly RegistryHost[]> {
  const directory = configPath === "" ? undefined : await findDirectory(configPath, registry);
  if (directory === undefined) return [serverHost(registry, defaultTransport.tls)];
  const file = join(directory, "hosts.toml");
  const text = await readText(file);
  if (text === undefined) return [serverHost(registry, await dockerCertificates(directory))];
  return parseHostsToml(parseToml(text, file), { file, directory, registry, defaultServer: serverUrl(registry) });
}

/** The URL of the registry itself: Docker Hub's API host, plain http on loopback, else https. */
export function serverUrl(registry: string): string {
  if (registry === "docker.io") return "https://registry-1.docker.io";
  const url = URL.parse(`https://${registry}`);
  if (url === null)
    throw new AgentError("InvalidArgument", `Invalid registry ${JSON.stringify(registry)}: must be host[:port]`);
  const plain = isLoopbackHost(bareHost(url.hostname)) && !registry.endsWith(":443");
  return `${plain ? "http" : "https"}://${registry}`;
}

function serverHost(registry: string, tls: TlsSettings): RegistryHost {
  const baseUrl = `${serverUrl(registry)}/v2`;
  const transport = { ...defaultTransport, tls };
  return { baseUrl, resolve: true, pull: true, headers: {}, transport, mirrorOf: undefined };
}

async function findDirectory(configPath: string, registry: string): Promise<string | undefined> {
  const withPort = registry.replace(/:(\d+)$/, "_$1_");
  for (const name of new Set([withPort, registry, "_default"])) {
    try {
      const directory = join(configPath, name);
      await access(directory);
      return directory;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw unreadable(join(configPath, name), error);
    }
  }
  return undefined;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw unreadable(file, error);
  }
}

function parseToml(text: string, file: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? `:${error.line}:${error.column}` : "";
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "";
    // The parser quotes the lines around a fault; they may hold a header's secret, so only its first line is passed on.
    throw new AgentError("FailedPrecondition", `Malformed registry configuration ${file}${where}: ${reason}`);
  }
}

/** Docker's layout: every `*.crt` is a CA; `x.cert` and `x.key` are a client's pair. */
async function dockerCertificates(directory: string): Promise<TlsSettings> {
  const names = (await readdir(directory)).sort();
  const read = (name: string) => readFile(join(directory, name), "utf8");
  const clients = names.filter((name) => name.endsWith(".cert"));
  try {
    return {
      ca: await Promise.all(names.filter((name) => name.endsWith(".crt")).map(read)),
      client: await Promise.all(
        clients.map(async (name) => ({ cert: await read(name), key: await read(name.replace(/\.cert$/, ".key")) })),
      ),
      skipVerify: false,
    };
  } catch (error) {
    throw unreadable(directory, error);
  }
}

function unreadable(path: string, cause: unknown): AgentError {
  return new AgentError("FailedPrecondition", `Cannot read registry configuration ${path}`, { cause });
}
