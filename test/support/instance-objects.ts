import { globSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { listMounts } from "../../src/system/mountinfo.ts";
import { listPids, readCommandLine, readProcessStat } from "../../src/system/process.ts";
import { output } from "./command.ts";
import type { TestInstance } from "./test-instance.ts";

/** What an agent instance has on the host right now: kind of object to names, sorted. */
export type InstanceObjects = Readonly<Record<string, readonly string[]>>;

/** The names and places to look for. */
export type InstancePlace = Pick<TestInstance, "name" | "root" | "state">;

/** Reads everything that carries the instance's name or lies in its directories. Nothing is asked of the agent. */
export async function readInstanceObjects(place: InstancePlace): Promise<InstanceObjects> {
  const pins = networkPins(place.name);
  const routers = pins.filter((pin) => pin.startsWith(`podling-${place.name}-vpc-`));
  return {
    netns: pins,
    link: await hostLinks(place.name),
    "nft table": (await nftTables(place.name)).map(({ family, name }) => `${family} ${name}`),
    "vpc link": await inEach(routers, (pin) => namesOf(["ip", "-n", pin, "-j", "link"], "ifname")),
    "vpc route": await inEach(routers, routes),
    "vpc nft": await inEach(routers, nftRules),
    mount: instanceMounts(place),
    "loop device": loopDevices(place),
    // The instance's own cgroup and runtime directory come with its first pod and may stay, empty.
    cgroup: instanceCgroups(place.name)
      .map(({ path }) => path)
      .filter((path) => !path.endsWith(`/podling-${place.name}`)),
    process: instanceProcesses(place.name).map(({ pid, what }) => `${pid} ${what}`),
    "runtime state": [
      ...listing(join(place.state, "runc", `podling-${place.name}`)),
      ...globSync([`/run/containerd/runc/podling-${place.name}/*`, `/run/runc/podling-${place.name}*`]),
    ].sort(),
    "sandbox bundle": listing(join(place.state, "sandboxes")),
    "warm shim": listing(join(place.state, "warm")),
    "container bundle": listing(join(place.state, "containers")),
    "container disk": listing(join(place.root, "containers")),
    snapshot: listing(join(place.root, "snapshots")),
    ingest: listing(join(place.root, "ingest")),
    content: listing(join(place.root, "content/sha256")),
  };
}

/** Names of the instance's pinned network namespaces. */
export function networkPins(instance: string): readonly string[] {
  return listing("/run/netns").filter((name) => name.startsWith(`podling-${instance}-`));
}

/** Names of the host's links whose alias says the instance owns them. */
export async function hostLinks(instance: string): Promise<readonly string[]> {
  const links = JSON.parse(await output(["ip", "-j", "link"])) as { ifname: string; ifalias?: string }[];
  return links
    .filter((link) => link.ifalias?.startsWith(`podling/${instance}/`))
    .map((link) => link.ifname)
    .sort();
}

/** The instance's nft tables in the host's network namespace. */
export async function nftTables(instance: string): Promise<readonly { family: string; name: string }[]> {
  const prefix = `podling_${instance.replaceAll("-", "_")}`;
  const { nftables } = JSON.parse(await output(["nft", "-j", "list", "tables"])) as {
    nftables: { table?: { family: string; name: string } }[];
  };
  return nftables.flatMap(({ table }) =>
    table !== undefined && (table.name === prefix || table.name.startsWith(`${prefix}_`)) ? [table] : [],
  );
}

/** Mounts inside the instance's directories and its namespace pins, outermost first. */
export function instanceMounts(place: InstancePlace): readonly string[] {
  const prefixes = [`${place.root}/`, `${place.state}/`, `/run/netns/podling-${place.name}-`];
  return listMounts()
    .map((mount) => mount.target)
    .filter((target) => prefixes.some((prefix) => target.startsWith(prefix)))
    .sort();
}

/** Every cgroup of the instance in every hierarchy, parents before children. */
export function instanceCgroups(instance: string): readonly { path: string; directory: string }[] {
  return [`/sys/fs/cgroup/podling-${instance}*`, `/sys/fs/cgroup/*/podling-${instance}*`]
    .flatMap((pattern) => globSync(pattern))
    .flatMap((top) => [top, ...subdirectories(top)])
    .map((directory) => ({ directory, path: directory.replace("/sys/fs/cgroup/", "") }))
    .sort((a, b) => a.path.localeCompare(b.path));
}

/** Shims of the instance, and whatever runs in its cgroups. */
export function instanceProcesses(instance: string): readonly { pid: number; what: string }[] {
  return listPids().flatMap((pid) => {
    const argv = readCommandLine(pid);
    const flag = argv.findIndex((word) => /^--?namespace$/.test(word));
    if (flag >= 0 && argv[flag + 1] === `podling-${instance}`) return [{ pid, what: `shim ${argv.join(" ")}` }];
    if (!readText(`/proc/${pid}/cgroup`).includes(`/podling-${instance}`)) return [];
    if (readProcessStat(pid)?.state === "Z") return [];
    return [{ pid, what: `in the pods' cgroups: ${argv.join(" ")}` }];
  });
}

/** Files below the instance's directories that a process holds open, FIFOs of a container's output for one. */
export function openFiles(pid: number, place: InstancePlace): readonly string[] {
  const directory = `/proc/${pid}/fd`;
  return listing(directory)
    .map((fd) => readLink(join(directory, fd)))
    .filter((path) => path.startsWith(`${place.state}/`) || path.startsWith(`${place.root}/`))
    .sort();
}

async function inEach(pins: readonly string[], read: (pin: string) => Promise<readonly string[]>): Promise<string[]> {
  const found = await Promise.all(pins.map(async (pin) => (await read(pin)).map((name) => `${pin}: ${name}`)));
  return found.flat().sort();
}

async function namesOf(argv: readonly string[], key: string): Promise<readonly string[]> {
  return (JSON.parse((await output(argv)) || "[]") as Record<string, string>[]).map((item) => item[key] ?? "");
}

async function routes(pin: string): Promise<readonly string[]> {
  const families = await Promise.all(
    ["-4", "-6"].map((family) => output(["ip", "-n", pin, family, "route", "show", "table", "all"])),
  );
  const neighbours = await output(["ip", "-n", pin, "neigh", "show", "nud", "permanent"]);
  // The kernel keeps its own multicast and link-local routes while a link is up; they come and go with the link.
  return `${families.join("\n")}\n${neighbours}`
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^(ff00::|fe80:|multicast|local fe80|anycast)/.test(line));
}

/** The rule set as one string an object and one a set element, without handles and counters. */
async function nftRules(pin: string): Promise<readonly string[]> {
  const text = await output(["ip", "netns", "exec", pin, "nft", "-j", "list", "ruleset"]);
  const { nftables } = JSON.parse(text) as { nftables: Record<string, Record<string, unknown>>[] };
  return nftables.flatMap((object) => {
    const [kind = "", body = {}] = Object.entries(object)[0] ?? [];
    if (kind === "metainfo") return [];
    const { handle: _handle, elem, ...rest } = body;
    const elements = Array.isArray(elem) ? elem : [];
    return [kind, ...elements].map((element) =>
      JSON.stringify(element === kind ? { [kind]: rest } : [rest["name"], element], (key, value) =>
        key === "packets" || key === "bytes" ? undefined : value,
      ),
    );
  });
}

function loopDevices(place: InstancePlace): readonly string[] {
  return globSync("/sys/block/loop*/loop/backing_file")
    .map((file) => readText(file).trim())
    .filter((file) => file.startsWith(`${place.root}/`) || file.startsWith(`${place.state}/`));
}

function subdirectories(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => {
        const path = join(directory, entry.name);
        return [path, ...subdirectories(path)];
      });
  } catch {
    return []; // removed while we looked
  }
}

function listing(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
