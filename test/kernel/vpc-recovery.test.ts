import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import { NetworkBed, randomInstance, randomSettings } from "./network-bed.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "podling-net-"));
  directories.push(directory);
  return directory;
}

/** Ends one agent's life without a word and begins the next on the same records. */
async function restart(bed: NetworkBed, live: ReadonlySet<string> = bed.live): Promise<NetworkBed> {
  await bed.abandon();
  const next = new NetworkBed(bed.settings, bed.instance, bed.directory);
  for (const id of live) next.live.add(id);
  try {
    await next.vpc.start(live);
    return next;
  } catch (error) {
    await next[Symbol.asyncDispose]();
    throw error;
  }
}

async function bedWithPods(count: number): Promise<NetworkBed> {
  const bed = new NetworkBed(randomSettings({ natGateway: true }), randomInstance(), newDirectory());
  await bed.vpc.start(bed.live);
  for (let index = 0; index < count; index++) await bed.addPod();
  return bed;
}

const router = (bed: NetworkBed) => `podling-${bed.instance}-vpc-vpc-t`;
const ip = (...argv: readonly string[]) => execFileSync("ip", argv, { encoding: "utf8" });
const inRouter = (bed: NetworkBed, ...argv: readonly string[]) => ip("netns", "exec", router(bed), ...argv);
const firstEni = (bed: NetworkBed) => bed.vpc.enis()[0] ?? expect.unreachable("no interface");

const networksOf = (bed: NetworkBed) => new Map(bed.vpc.enis().map(({ id, network }) => [id, network]));

describe("LocalVpc.start() after things were changed by hand", () => {
  const damages: readonly (readonly [string, (bed: NetworkBed) => unknown])[] = [
    ["nothing", () => undefined],
    ["the router's namespace", (bed) => ip("netns", "delete", router(bed))],
    ["the link to the host", (bed) => inRouter(bed, "ip", "link", "delete", "ngw0")],
    ["a pod's link", (bed) => inRouter(bed, "ip", "link", "delete", firstEni(bed).linkName)],
    ["the router's rules", (bed) => inRouter(bed, "nft", "flush", "ruleset")],
    ["a binding", (bed) => inRouter(bed, "nft", "flush", "set", "inet", "podling", "bound4")],
    ["routes", (bed) => inRouter(bed, "ip", "route", "flush", "table", "main")],
    ["the host's rules", (bed) => execFileSync("nft", ["delete", "table", "inet", `podling_${bed.instance}`])],
    [
      "a link's state, and a stranger is added",
      (bed) => {
        inRouter(bed, "ip", "link", "set", firstEni(bed).linkName, "down");
        inRouter(bed, "ip", "link", "add", "eniunknown", "type", "veth", "peer", "name", "x");
      },
    ],
  ];

  test.each(damages)("mends %s, and pods keep their addresses", async (_, damage) => {
    const bed = await bedWithPods(2);
    const before = networksOf(bed);
    damage(bed);
    await using next = await restart(bed);
    expect(await next.differences()).toEqual([]);
    expect(networksOf(next)).toEqual(before);
    expect(next.vpc.enis().map(({ state }) => state)).toEqual(["attached", "attached"]);
    for (const { network } of next.vpc.enis()) {
      expect(pings(network.ipv4)).toBe(true);
      expect(pings(network.ipv6 ?? "")).toBe(true);
    }
  });

  test("a pod without namespace loses its interface, and its addresses rest", async () => {
    const bed = await bedWithPods(2);
    ip("netns", "delete", firstEni(bed).netnsPath.slice("/run/netns/".length));
    await using next = await restart(bed);
    expect(await next.differences()).toEqual([]);
    expect(next.vpc.usage()).toMatchObject([{ used: 1, cooling: 1 }]);
  });

  test("pods without records go, with their pins; those of others stay", async () => {
    const bed = await bedWithPods(1);
    const neighbour = `podling-${bed.instance}-x-${newId().slice(0, 13)}`;
    ip("netns", "add", neighbour);
    try {
      await using next = await restart(bed, new Set());
      expect(next.vpc.enis()).toEqual([]);
      expect(next.vpc.usage()).toMatchObject([{ used: 0, cooling: 1 }]);
      expect(ip("netns", "list")).toContain(neighbour);
      await next.vpc.stop();
      expect(next.leftovers().filter((line) => !line.includes(neighbour))).toEqual([]);
    } finally {
      spawnSync("ip", ["netns", "delete", neighbour]);
    }
  });

  test("after a reboot routers are made again and no pod is left", async () => {
    const bed = await bedWithPods(2);
    for (const { netnsPath } of bed.vpc.enis()) ip("netns", "delete", netnsPath.slice("/run/netns/".length));
    ip("netns", "delete", router(bed));
    execFileSync("nft", ["delete", "table", "inet", `podling_${bed.instance}`]);
    await using next = await restart(bed);
    expect(await next.differences()).toEqual([]);
    expect(next.vpc.enis()).toEqual([]);
    const { network } = await next.addPod();
    expect(pings(network.ipv4)).toBe(true);
  });

  test("lost records: what bears the instance's mark goes", async () => {
    const bed = await bedWithPods(1);
    await bed.abandon();
    await using next = new NetworkBed(randomSettings(), bed.instance, newDirectory());
    await next.vpc.start(new Set());
    expect(await next.differences()).toEqual([]);
    await next.vpc.stop();
    expect(next.leftovers()).toEqual([]);
  });

  test("a VPC's range can't be changed under living pods, and can without", async () => {
    const bed = await bedWithPods(1);
    await bed.abandon();
    const moved = randomSettings();
    await using stubborn = new NetworkBed(moved, bed.instance, bed.directory);
    await expect(stubborn.vpc.start(bed.live)).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringMatching(/Cannot change the ranges of VPC "vpc-t"/),
    });
    await stubborn.abandon();
    const old = new NetworkBed(bed.settings, bed.instance, bed.directory);
    await old.vpc.start(new Set());
    await old.abandon();
    await using next = new NetworkBed(moved, bed.instance, bed.directory);
    await next.vpc.start(new Set());
    expect(await next.differences()).toEqual([]);
    expect(pings((await next.addPod()).network.ipv4)).toBe(true);
  });
});

describe("LocalVpc.start() after SIGKILL", () => {
  const failpoints = [
    "net.vpcs-recorded",
    "net.host-rules",
    "net.namespace-pinned",
    "net.router-namespace",
    "net.router-link",
    "net.router-rules",
    "net.router-routes",
    "net.namespace-pinned:2",
    "net.eni-allocated",
    "net.eni-link",
    "net.eni-rules",
    "net.eni-router",
    "net.eni-pod",
    "net.eni-link:2",
    "net.eni-cut",
    "net.eni-released",
    "net.links-deleted",
    "net.namespace-unpinned",
    "net.eni-released:2",
    "net.router-unlinked",
    "net.router-removed",
  ];

  test.each(failpoints)("at %s converges, and the end leaves nothing", async (failpoint) => {
    const settings = randomSettings({ natGateway: true });
    const [instance, directory] = [randomInstance(), newDirectory()];
    const agent = join(import.meta.dirname, "vpc-agent.ts");
    const argv = ["--disable-warning=ExperimentalWarning", agent, JSON.stringify(settings), instance, directory];
    const killed = spawnSync(process.execPath, argv, {
      env: { ...process.env, PODLING_FAILPOINT: failpoint },
      encoding: "utf8",
    });
    expect([killed.signal, killed.stderr]).toEqual(["SIGKILL", ""]);
    const known = killed.stdout.split("\n").filter((id) => id !== "");

    await using bed = new NetworkBed(settings, instance, directory);
    for (const id of known) bed.live.add(id);
    await bed.vpc.start(bed.live);
    expect(await bed.differences()).toEqual([]);
    for (const { network } of bed.vpc.enis()) expect(pings(network.ipv4)).toBe(true);
    const { network } = await bed.addPod();
    expect(pings(network.ipv4)).toBe(true);

    for (const id of [...bed.live]) await bed.removePod(id);
    expect(bed.vpc.usage()).toMatchObject([{ used: 0 }]);
    await bed.vpc.stop();
    expect(bed.vpc.enis()).toEqual([]);
    expect(bed.leftovers()).toEqual([]);
  });
});

/** Whether the host gets an ICMP echo answered, which needs nothing to run in the pod. */
function pings(address: string): boolean {
  const script = `
import socket, struct, sys
six = ':' in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1); s.settimeout(2)
body = struct.pack('!HH', 77, 1) + b'podling!'
def sum16(b):
  n = sum(struct.unpack('!%dH' % (len(b) // 2), b)); n = (n >> 16) + (n & 0xffff); return ~(n + (n >> 16)) & 0xffff
head = b'\\x80\\x00' if six else b'\\x08\\x00'
s.sendto(head + struct.pack('!H', 0 if six else sum16(head + b'\\0\\0' + body)) + body, (sys.argv[1], 0))
while True:
  data, source = s.recvfrom(2048)
  if source[0] == sys.argv[1]: break
`;
  return spawnSync("python3", ["-c", script, address]).status === 0;
}
