import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TomlTable, TomlValue } from "smol-toml";
import { AgentError } from "../common/errors.ts";
import { defaultTransport, type TlsSettings } from "./blob-source.ts";
import type { RegistryHost } from "./registry-host.ts";

export interface HostsTomlContext {
  /** The file, for errors. */
  readonly file: string;
  /** Relative certificate paths start here. */
  readonly directory: string;
  readonly registry: string;
  /** URL of the registry itself, when the file names no server. */
  readonly defaultServer: string;
}

const capabilities = ["pull", "resolve", "push", "referrers"];
const hostKeys = ["capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout"];
const millisecondsOf: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a parsed `hosts.toml` by containerd's rules. The keys beside `server` are the server's.
 * @throws AgentError FailedPrecondition naming file and key; unknown keys are faults, for a misspelt `skip_verify` or `ca` would
 *   otherwise be a setting that silently does not hold
 */
export function parseHostsToml(toml: TomlTable, context: HostsTomlContext): readonly RegistryHost[] {
  refuseUnknown(toml, ["server", "host", ...hostKeys], "", context);
  const hosts: RegistryHost[] = [];
  for (const [name, value] of Object.entries(tableOf(toml["host"] ?? {}, "host", context))) {
    const key = `host.${JSON.stringify(name)}`;
    const table = tableOf(value, key, context);
    refuseUnknown(table, hostKeys, key, context);
    hosts.push(readHost(table, name, key, context));
  }
  const server = toml["server"] ?? context.defaultServer;
  if (typeof server !== "string" || server === "") throw wrong(context, "server", "must be a URL");
  hosts.push(readHost(toml, server, "server", context));
  return hosts;
}

function readHost(table: TomlTable, address: string, key: string, context: HostsTomlContext): RegistryHost {
  const url = URL.parse(/^https?:\/\//i.test(address) ? address : `https://${address}`);
  if (url === null || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw wrong(context, key, "must be an http or https URL without user, query and fragment");
  }
  const path = url.pathname.replace(/\/+$/, "");
  const override = readBoolean(table, "override_path", key, context);
  const listed = textList(table["capabilities"] ?? capabilities, `${key}.capabilities`, context);
  const unknown = listed.find((name) => !capabilities.includes(name));
  if (unknown !== undefined) {
    throw wrong(context, `${key}.capabilities`, `${JSON.stringify(unknown)} is none of ${capabilities.join(", ")}`);
  }
  const server = new URL(context.defaultServer);
  return {
    baseUrl: `${url.origin}${override || path.endsWith("/v2") ? path : `${path}/v2`}`,
    resolve: listed.includes("resolve"),
    pull: listed.includes("pull"),
    headers: readHeaders(table, key, context),
    transport: {
      tls: readTls(table, key, context),
      dialTimeoutMs: readDialTimeout(table["dial_timeout"], key, context),
    },
    mirrorOf: url.host === server.host ? undefined : context.registry,
  };
}

function readTls(table: TomlTable, key: string, context: HostsTomlContext): TlsSettings {
  const ca = table["ca"] === undefined ? [] : textList(oneOrMore(table["ca"]), `${key}.ca`, context);
  const client = oneOrMore(table["client"] ?? []);
  // A list of strings is a list of files that hold certificate and key; a pair has a list of its own.
  const pairs = client.map((entry) => textList(oneOrMore(entry), `${key}.client`, context));
  return {
    ca: ca.map((path) => readPem(path, `${key}.ca`, context)),
    client: pairs.map((pair) => {
      const [cert, keyFile] = pair;
      if (cert === undefined || pair.length > 2)
        throw wrong(context, `${key}.client`, "must be files or pairs of files");
      const read = (path: string) => readPem(path, `${key}.client`, context);
      return { cert: read(cert), key: read(keyFile === undefined || keyFile === "" ? cert : keyFile) };
    }),
    skipVerify: readBoolean(table, "skip_verify", key, context),
  };
}

function readPem(path: string, key: string, context: HostsTomlContext): string {
  try {
    const text = readFileSync(resolve(context.directory, path), "utf8");
    if (text.includes("-----BEGIN ")) return text;
  } catch (cause) {
    const message = `Cannot read ${JSON.stringify(path)} of key ${key} in registry configuration ${context.file}`;
    throw new AgentError("FailedPrecondition", message, { cause });
  }
  throw wrong(context, key, `${JSON.stringify(path)} is no PEM file`);
}

function readHeaders(table: TomlTable, key: string, context: HostsTomlContext): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(tableOf(table["header"] ?? {}, `${key}.header`, context))) {
    const text = textList(oneOrMore(value), `${key}.header`, context).join(", ");
    if (!/^[A-Za-z0-9-]+$/.test(name) || /[\r\n\0]/.test(text)) {
      throw wrong(context, `${key}.header`, `${JSON.stringify(name)} is no header of one line`);
    }
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

/** A Go duration of one unit, such as "5s" or "500ms". */
function readDialTimeout(value: TomlValue | undefined, key: string, context: HostsTomlContext): number {
  if (value === undefined) return defaultTransport.dialTimeoutMs;
  const match = typeof value === "string" ? /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(value) : null;
  const timeoutMs = Math.round(Number(match?.[1]) * (millisecondsOf[match?.[2] ?? ""] ?? 0));
  if (timeoutMs > 0) return timeoutMs;
  throw wrong(context, `${key}.dial_timeout`, 'must be a duration such as "5s"');
}

function readBoolean(table: TomlTable, name: string, key: string, context: HostsTomlContext): boolean {
  const value = table[name] ?? false;
  if (typeof value !== "boolean") throw wrong(context, `${key}.${name}`, "must be true or false");
  return value;
}

function textList(value: TomlValue, key: string, context: HostsTomlContext): readonly string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value;
  throw wrong(context, key, "must be a string or a list of strings");
}

function oneOrMore(value: TomlValue): TomlValue[] {
  return Array.isArray(value) ? value : [value];
}

function tableOf(value: TomlValue, key: string, context: HostsTomlContext): TomlTable {
  if (typeof value === "object" && !Array.isArray(value) && !(value instanceof Date)) return value as TomlTable;
  throw wrong(context, key, "must be a table");
}

function refuseUnknown(table: TomlTable, known: readonly string[], key: string, context: HostsTomlContext): void {
  const unknown = Object.keys(table).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw wrong(context, key === "" ? unknown : `${key}.${unknown}`, `is unknown; known are ${known.join(", ")}`);
}

function wrong(context: HostsTomlContext, key: string, why: string): AgentError {
  return new AgentError("FailedPrecondition", `Malformed registry configuration ${context.file}: key ${key} ${why}`);
}
