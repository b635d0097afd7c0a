import { chmodSync, chownSync, closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";
import { setXattr } from "../system/extended-attributes.ts";
import { hostRoot, type UserMapping } from "./id-mapping.ts";

/** What the pod's resolver is told; the same shape as the sandbox's DNS config. */
export interface ResolverConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PodFiles {
  readonly hostname: string;
  /** The pod's own addresses; empty with the host's network. */
  readonly addresses: readonly string[];
  /** undefined: the host's resolv.conf. */
  readonly dns: ResolverConfig | undefined;
  /** Whether the pod is in the host's network, where the host's own names and resolver are right. */
  readonly host?: boolean;
  /** Whose root the files belong to; undefined: the host's. */
  readonly owner?: UserMapping | undefined;
  /** SELinux label of the files; undefined where the host has no SELinux. */
  readonly label?: string | undefined;
}

/** Where a pod's files lie. */
export interface PodFilePaths {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
  readonly shm: string;
}

/** @param directory the sandbox's directory in the state directory */
export function podFilePaths(directory: string): PodFilePaths {
  return {
    hosts: join(directory, "hosts"),
    hostname: join(directory, "hostname"),
    resolvConf: join(directory, "resolv.conf"),
    shm: join(directory, "shm"),
  };
}

/**
 * Writes hosts, hostname and resolv.conf of a pod, readable for all of its users.
 * @throws AgentError InvalidArgument for DNS values that can't stand in resolv.conf, SystemFailure
 */
export function writePodFiles(directory: string, files: PodFiles): void {
  const paths = podFilePaths(directory);
  const texts = [
    [paths.hosts, files.host ? readOrEmpty("/etc/hosts") : renderHosts(files.hostname, files.addresses)],
    [paths.hostname, renderHostname(files.hostname)],
    [paths.resolvConf, resolvConfOf(files)],
  ] as const;
  for (const [path, text] of texts) {
    try {
      writeFileSync(path, text);
      // Every user of the pod reads them, whatever our umask is.
      chmodSync(path, 0o644);
      if (files.owner !== undefined) chownSync(path, hostRoot(files.owner.uids), hostRoot(files.owner.gids));
      if (files.label !== undefined) setLabel(path, files.label);
    } catch (cause) {
      throw new AgentError("SystemFailure", `Can't write the pod's file "${path}"`, { cause });
    }
  }
}

function resolvConfOf({ dns, host = false }: PodFiles): string {
  if (dns !== undefined) return renderResolvConf(dns);
  return host ? readOrEmpty("/etc/resolv.conf") : hostResolvConf();
}

function setLabel(path: string, label: string): void {
  const fd = openSync(path, "r");
  try {
    setXattr(fd, "security.selinux", Buffer.from(label));
  } finally {
    closeSync(fd);
  }
}

/** hosts(5): the names every Linux has, and the pod's own at its addresses. */
export function renderHosts(hostname: string, addresses: readonly string[]): string {
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...addresses.map((address) => `${address}\t${hostname}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** hostname(5). */
export function renderHostname(hostname: string): string {
  return `${hostname}\n`;
}

/**
 * resolv.conf(5); nothing asked for gives an empty file.
 * @throws AgentError InvalidArgument for a value that would add words or lines
 */
export function renderResolvConf(dns: ResolverConfig): string {
  for (const [field, values] of [
    ["servers", dns.servers],
    ["searches", dns.searches],
    ["options", dns.options],
  ] as const) {
    const bad = values.findIndex((value) => !/^[\x21-\x7e]+$/.test(value));
    if (bad !== -1) {
      throw new AgentError(
        "InvalidArgument",
        `Invalid dns_config.${field}[${bad}] ${JSON.stringify(values[bad]?.slice(0, 100))}: must be one printable word`,
      );
    }
  }
  const lines = [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(" ")}`] : []),
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(dns.options.length > 0 ? [`options ${dns.options.join(" ")}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * The host's resolv.conf. Where it only names a resolver on the host's own loopback, which no pod can reach,
 * systemd-resolved's list of the real servers stands in.
 */
function hostResolvConf(): string {
  const text = readOrEmpty("/etc/resolv.conf");
  return namesOnlyLoopback(text) ? readOrEmpty("/run/systemd/resolve/resolv.conf") || text : text;
}

/** Whether every nameserver of a resolv.conf is a loopback address; false when there is none. */
export function namesOnlyLoopback(resolvConf: string): boolean {
  const servers = [...resolvConf.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? "");
  return servers.length > 0 && servers.every((server) => server.startsWith("127.") || server === "::1");
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return "";
    throw new AgentError("SystemFailure", `Can't read the host's "${path}"`, { cause });
  }
}
