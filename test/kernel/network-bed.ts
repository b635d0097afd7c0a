import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "../../src/common/ids.ts";
import { createLog } from "../../src/common/log.ts";
import { type NodeManifests, noManifests } from "../../src/manifests/node-manifests.ts";
import type { HostPort } from "../../src/network/host-port.ts";
import { LocalVpc } from "../../src/network/local-vpc.ts";
import type { PodNetwork } from "../../src/network/pod-network.ts";
import { systemRandom } from "../../src/network/system-random.ts";
import { type NetworkSettings, parseNetworkConfig } from "../../src/network/vpc-config.ts";
import { PinnedNamespaces } from "../../src/runtime/pod-namespaces.ts";
import { Database } from "../../src/state/database.ts";
import { KernelWorker } from "../../src/system/kernel-worker.ts";
import { unroutedBlock } from "../support/unrouted-block.ts";

export const pythonServer = `
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(5)
print('ready', flush=True)
while 1:
  c, a = s.accept(); c.sendall(a[0].encode()); c.close()
`;

const pythonClient = `
import socket, sys
try:
  s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2.5, source_address=(sys.argv[3], 0) if len(sys.argv) > 3 else None)
  print('saw ' + s.recv(99).decode())
except OSError as e: print('failed ' + (str(e.errno) if e.errno else 'timeout'))
`;

/** A configuration of random ranges, so that tests of several people can run at once. */
export function randomSettings(change: Partial<NetworkSettings["vpcs"][number]> = {}): NetworkSettings {
  const block = unroutedBlock();
  const prefix = `fd${randomBytes(1).toString("hex")}:${randomBytes(2).toString("hex")}:${randomBytes(2).toString("hex")}`;
  return {
    vpcs: [{ id: "vpc-t", cidr: `${block}.0/20`, ipv6Cidr: `${prefix}::/56`, natGateway: false, ...change }],
    vswitches: [
      {
        id: "vsw-t",
        vpc: change.id ?? "vpc-t",
        zone: "z",
        cidr: `${block}.0/24`,
        ipv6Cidr: `${prefix}::/64`,
      },
    ],
  };
}

export function randomInstance(): string {
  return `nt${randomBytes(4).toString("hex")}`;
}

/** One agent's network with its own records, and the pods of a test. */
export class NetworkBed implements AsyncDisposable {
  readonly instance: string;
  readonly settings: NetworkSettings;
  readonly kernel = new KernelWorker();
  readonly sweeper = new KernelWorker();
  readonly namespaces = new PinnedNamespaces(this.kernel);
  readonly database: Database;
  readonly vpc: LocalVpc;
  readonly live = new Set<string>();
  readonly directory: string;
  /** What operators declare; followed by `vpc.refresh()`. */
  manifests: NodeManifests = noManifests;
  readonly #keepDirectory: boolean;
  #abandoned = false;
  readonly #onIntent: (sandboxId: string) => void;

  /** @param onIntent hears of a pod before anything is done for it */
  constructor(
    settings = randomSettings(),
    instance = randomInstance(),
    directory?: string,
    onIntent: (sandboxId: string) => void = () => undefined,
  ) {
    this.#onIntent = onIntent;
    this.instance = instance;
    this.settings = settings;
    this.#keepDirectory = directory !== undefined;
    this.directory = directory ?? mkdtempSync(join(tmpdir(), "podling-net-"));
    this.database = Database.open(join(this.directory, "records.db"));
    this.vpc = new LocalVpc({
      instance,
      config: parseNetworkConfig(settings),
      manifests: () => this.manifests,
      clusterId: "default",
      database: this.database,
      kernel: this.kernel,
      sweeper: this.sweeper,
      log: createLog("silent"),
      nowMs: () => Date.now(),
      random: systemRandom,
      newNonce: () => randomUUID(),
    });
  }

  netnsPath(sandboxId: string): string {
    return `/run/netns/podling-${this.instance}-${sandboxId.slice(0, 13)}`;
  }

  async addPod(
    annotations: Record<string, string> = {},
    hostPorts: readonly HostPort[] = [],
  ): Promise<{ id: string; netns: string; network: PodNetwork }> {
    const id = newId();
    const netnsPath = this.netnsPath(id);
    this.live.add(id);
    this.#onIntent(id);
    await this.namespaces.create({ net: netnsPath }, "");
    const network = await this.vpc.attach({
      sandboxId: id,
      netnsPath,
      namespace: "ns",
      name: "pod",
      labels: {},
      annotations,
      hostPorts,
    });
    return { id, netns: netnsPath.slice("/run/netns/".length), network };
  }

  async removePod(id: string): Promise<void> {
    await this.vpc.detach(id);
    await this.namespaces.remove({ net: this.netnsPath(id) });
    this.live.delete(id);
  }

  /** What this instance has in the kernel: pins, host links, tables, routes. Empty after a clean stop. */
  leftovers(): readonly string[] {
    const lines = [
      execFileSync("ls", ["/run/netns"], { encoding: "utf8" }),
      execFileSync("ip", ["-d", "link"], { encoding: "utf8" }),
      execFileSync("nft", ["list", "tables"], { encoding: "utf8" }),
    ].flatMap((text) => text.split("\n"));
    const marks = [`podling-${this.instance}-`, `podling/${this.instance}/`, `podling_${this.instance}`];
    return lines.filter((line) => marks.some((mark) => line.includes(mark))).map((line) => line.trim());
  }

  /** Where records and kernel disagree about the pods' interfaces; empty when all is well. */
  async differences(): Promise<readonly string[]> {
    const found: string[] = [];
    const held = this.vpc.enis().filter(({ state }) => state !== "releasing");
    for (const { id } of this.settings.vpcs) {
      const netns = `/run/netns/podling-${this.instance}-vpc-${id}`;
      const enis = held.filter(({ network }) => network.vpcId === id);
      const links = (await this.kernel.listLinks(netns)).filter(({ name }) => name.startsWith("eni"));
      const text = JSON.stringify(await this.kernel.listNftables(netns, "list table inet podling"));
      const routes = (await this.kernel.listRoutes(netns)).map(({ destination }) => destination);
      const neighbours = (await this.kernel.listNeighbours(netns)).map(({ address, mac }) => `${address} ${mac}`);
      const wanted = new Map(enis.map((eni) => [eni.linkName, `podling/${this.instance}/eni/${eni.id}`]));
      for (const { name, alias, up } of links) {
        if (wanted.get(name) !== alias || !up) found.push(`link ${name} (${alias}) is down, wrong or of no record`);
        wanted.delete(name);
      }
      for (const name of wanted.keys()) found.push(`link ${name} is missing`);
      for (const { linkName, network } of enis) {
        const bound = JSON.stringify({ concat: [linkName, network.mac, network.ipv4] });
        if (!text.includes(bound)) found.push(`no binding ${bound}`);
        if (!routes.includes(`${network.ipv4}/32`)) found.push(`no route to ${network.ipv4}`);
        if (!routes.includes(`${network.ipv6}/128`)) found.push(`no route to ${network.ipv6}`);
        if (!neighbours.includes(`${network.ipv4} ${network.mac}`)) found.push(`no neighbour ${network.ipv4}`);
      }
      const elements = text.match(/"concat":/g)?.length ?? 0;
      // Four left sides of rules are concatenations too; each ENI has one IPv4 and two IPv6 elements.
      if (elements !== 4 + 3 * enis.length) found.push(`${elements} elements for ${enis.length} interfaces`);
    }
    return found;
  }

  /** Lets go of the process's part only, as its death would. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await this.kernel[Symbol.asyncDispose]();
    await this.sweeper[Symbol.asyncDispose]();
    this.database[Symbol.dispose]();
  }

  /** A network that did not start, which some tests want, takes nothing down. */
  #sweep(): void {
    const pins = readdirSync("/run/netns").filter((name) => name.startsWith(`podling-${this.instance}-`));
    for (const pin of pins) spawnSync("ip", ["netns", "delete", pin]);
    spawnSync("nft", ["delete", "table", "inet", `podling_${this.instance}`]);
  }

  /** Removes all of it, whatever the test did. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#abandoned) return;
    for (const id of [...this.live]) await this.removePod(id).catch(() => undefined);
    await this.vpc.stop();
    this.#sweep();
    await this.abandon();
    if (!this.#keepDirectory) rmSync(this.directory, { recursive: true });
  }
}

/** Connects from a named namespace ("" is the host). @returns "saw <address the server saw>" or "failed <errno>" */
export function connectFrom(netns: string, address: string, port: number, source?: string): string {
  const command = ["python3", "-c", pythonClient, address, String(port), ...(source === undefined ? [] : [source])];
  const argv = netns === "" ? command : ["ip", "netns", "exec", netns, ...command];
  return spawnSync(argv[0] ?? "", argv.slice(1), { encoding: "utf8" }).stdout.trim();
}
