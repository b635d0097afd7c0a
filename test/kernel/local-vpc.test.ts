import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import { outsideRange } from "../support/own-numbers.ts";
import { connectFrom, NetworkBed, pythonServer, randomSettings } from "./network-bed.ts";

/** ENETUNREACH, EHOSTUNREACH: what a program in the pod sees. */
const unreachable = ["failed 101", "failed 113"];
const port = 8080;
const servers: ChildProcess[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.kill("SIGKILL");
});

async function serve(netns: string, address: string): Promise<void> {
  const server = spawn("ip", ["netns", "exec", netns, "python3", "-c", pythonServer, address, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  servers.push(server);
  await once(server.stdout, "data");
}

function inside(netns: string, ...argv: readonly string[]): string {
  return execFileSync("ip", ["netns", "exec", netns, ...argv], { encoding: "utf8" });
}

/** A namespace that plays the internet, reached through the host. */
async function fakeInternet(use: (address: string, netns: string) => Promise<void>): Promise<void> {
  const name = `nti${newId().slice(0, 8)}`;
  const net = outsideRange();
  const run = (...argv: readonly string[]) => execFileSync("ip", argv);
  try {
    run("netns", "add", name);
    run("link", "add", name, "type", "veth", "peer", "name", "e0", "netns", name);
    run("addr", "add", `${net}.1/24`, "dev", name);
    run("link", "set", name, "up");
    run("-n", name, "addr", "add", `${net}.9/24`, "dev", "e0");
    run("-n", name, "link", "set", "e0", "up");
    await serve(name, `${net}.9`);
    await use(`${net}.9`, name);
  } finally {
    execFileSync("ip", ["netns", "delete", name]);
  }
}

async function startedBed(settings = randomSettings()): Promise<NetworkBed> {
  const bed = new NetworkBed(settings);
  await bed.vpc.start(bed.live);
  return bed;
}

describe("LocalVpc", () => {
  test("pods talk to each other, and the host to pods, over IPv4 and IPv6 at once", async () => {
    await using bed = await startedBed();
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    const ipv6 = b.network.ipv6 ?? "";
    await serve(b.netns, b.network.ipv4);
    await serve(b.netns, ipv6);
    expect([
      connectFrom(a.netns, b.network.ipv4, port),
      connectFrom(a.netns, ipv6, port),
      connectFrom("", b.network.ipv4, port),
      connectFrom("", ipv6, port),
    ]).toEqual([
      `saw ${a.network.ipv4}`,
      `saw ${a.network.ipv6}`,
      expect.stringMatching(/^saw 169\.254\./),
      expect.stringMatching(/^saw fd/),
    ]);
  });

  test("a pod's interface looks like an instance's", async () => {
    await using bed = await startedBed();
    const { netns, network } = await bed.addPod();
    expect(network.mac).toMatch(/^00:16:3e:/);
    expect(network.ipv4Gateway).toMatch(/\.253$/);
    expect(network.eniId).toMatch(/^eni-[a-z2-7]{20}$/);
    const shown = inside(netns, "ip", "addr", "show", "dev", "eth0");
    expect(shown).toContain(`link/ether ${network.mac}`);
    expect(shown).toContain(`inet ${network.ipv4}/24`);
    expect(shown).toContain(`inet6 ${network.ipv6}/64`);
    expect(inside(netns, "ip", "route")).toContain(`default via ${network.ipv4Gateway} dev eth0`);
    expect(inside(netns, "ip", "-6", "route")).toContain("default via fe80::1 dev eth0");
  });

  test("vSwitches of a VPC reach each other; the next is used when the first is full", async () => {
    const settings = randomSettings();
    const [first] = settings.vswitches;
    const prefix = first?.cidr.split(".").slice(0, 3).join(".") ?? "";
    const vswitch = { vpc: "vpc-t", zone: "z", ipv6Cidr: "" };
    await using bed = await startedBed({
      ...settings,
      vswitches: [
        { ...vswitch, id: "vsw-1", cidr: `${prefix}.0/28` },
        { ...vswitch, id: "vsw-2", cidr: `${prefix}.16/28` },
      ],
    });
    const pods = [];
    for (let index = 0; index < 13; index++) pods.push(await bed.addPod());
    expect(pods.map(({ network }) => network.vswitchId)).toEqual([...Array(12).fill("vsw-1"), "vsw-2"]);
    const [a, b] = [pods[0], pods[12]];
    if (a === undefined || b === undefined) throw new Error("no pods");
    expect(b.network.ipv6).toBeUndefined();
    await serve(b.netns, b.network.ipv4);
    expect(connectFrom(a.netns, b.network.ipv4, port)).toBe(`saw ${a.network.ipv4}`);
    for (let index = 13; index < 24; index++) await bed.addPod();
    await expect(bed.addPod()).rejects.toMatchObject({
      code: "NoAddressLeft",
      message: expect.stringMatching(/vSwitch "vsw-1" .* is full.*vSwitch "vsw-2" .* is full/),
    });
  });

  test("an address nobody has is dark", async () => {
    await using bed = await startedBed();
    const { netns, network } = await bed.addPod();
    const other = network.ipv4.replace(/\d+$/, (last) => String((Number(last) % 250) + 1));
    expect(connectFrom(netns, other, port)).toMatch(/^failed/);
  });

  test("what a pod sends from an address that is not its own is dropped, whatever it calls itself", async () => {
    await using bed = await startedBed();
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    await serve(b.netns, b.network.ipv4);
    await serve(b.netns, b.network.ipv6 ?? "");
    const [stolen4, stolen6] = [a.network.ipv4.replace(/\d+$/, "251"), `${a.network.ipv6?.slice(0, -2)}ff`];
    inside(a.netns, "ip", "addr", "add", `${stolen4}/32`, "dev", "eth0");
    inside(a.netns, "ip", "addr", "add", `${stolen6}/128`, "dev", "eth0", "nodad");
    expect(connectFrom(a.netns, b.network.ipv4, port, stolen4)).toBe("failed timeout");
    expect(connectFrom(a.netns, b.network.ipv6 ?? "", port, stolen6)).toBe("failed timeout");
    // Its own address from another Ethernet address.
    await expect.poll(() => connectFrom(a.netns, b.network.ipv4, port)).toBe(`saw ${a.network.ipv4}`);
    inside(a.netns, "ip", "link", "set", "eth0", "address", b.network.mac);
    expect(connectFrom(a.netns, b.network.ipv4, port)).not.toContain("saw");
  });

  test("ARP for somebody else's address changes nothing", async () => {
    await using bed = await startedBed();
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    await serve(b.netns, b.network.ipv4);
    const claim = `
import socket, sys
mac, ip = bytes.fromhex(sys.argv[1].replace(':', '')), socket.inet_aton(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0x806))
for op in (1, 2): s.send(b'\\xff' * 6 + mac + b'\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00' + bytes([op]) + mac + ip + b'\\xff' * 6 + ip)
`;
    inside(a.netns, "python3", "-c", claim, a.network.mac, b.network.ipv4);
    const neighbours = await bed.kernel.listNeighbours(`/run/netns/podling-${bed.instance}-vpc-vpc-t`);
    expect(neighbours.filter(({ address }) => address === b.network.ipv4)).toMatchObject([{ mac: b.network.mac }]);
    expect(connectFrom("", b.network.ipv4, port)).toMatch(/^saw 169/);
  });

  test("a neighbour's advertisement for somebody else's IPv6 address changes nothing", async () => {
    await using bed = await startedBed();
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    await serve(b.netns, b.network.ipv6 ?? "");
    const claim = `
import socket, struct, sys
mac, target = bytes.fromhex(sys.argv[1].replace(':', '')), socket.inet_pton(socket.AF_INET6, sys.argv[2])
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
for goal in ('fe80::1', 'ff02::1'):
  # override, solicited; the kernel fills in the checksum
  s.sendto(struct.pack('!BBHI', 136, 0, 0, 0x60000000) + target + b'\\x02\\x01' + mac, (goal, 0, 0, socket.if_nametoindex('eth0')))
`;
    inside(a.netns, "python3", "-c", claim, a.network.mac, b.network.ipv6 ?? "");
    const neighbours = await bed.kernel.listNeighbours(`/run/netns/podling-${bed.instance}-vpc-vpc-t`);
    expect(neighbours.filter(({ address }) => address === b.network.ipv6)).toMatchObject([{ mac: b.network.mac }]);
    expect(connectFrom(a.netns, b.network.ipv6 ?? "", port)).toBe(`saw ${a.network.ipv6}`);
    expect(connectFrom("", b.network.ipv6 ?? "", port)).toMatch(/^saw fd/);
  });

  test("pods don't reach the host or its neighbourhood, and nobody routes to them from outside", async () => {
    await using bed = await startedBed(randomSettings({ natGateway: true }));
    const { netns } = await bed.addPod();
    const [link] = await hostEnd(bed);
    expect(connectFrom(netns, link ?? "", 22)).toBe("failed timeout");
    expect(unreachable).toContain(connectFrom(netns, "169.254.169.254", 80));
  });

  test("detach() is done at once, cuts the pod off, and leaves nothing", async () => {
    await using bed = await startedBed();
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    const router = `/run/netns/podling-${bed.instance}-vpc-vpc-t`;
    await serve(a.netns, a.network.ipv4);
    expect(connectFrom("", a.network.ipv4, port)).toMatch(/^saw/);
    await bed.vpc.detach(a.id);
    await bed.vpc.detach(a.id);
    // The namespace is still there; the pod in it is cut off all the same.
    expect(connectFrom("", a.network.ipv4, port)).not.toMatch(/^saw/);
    await expect.poll(async () => (await bed.kernel.listLinks(router)).length, { timeout: 10_000 }).toBe(3);
    await expect.poll(() => bed.vpc.enis().map(({ sandboxId }) => sandboxId), { timeout: 10_000 }).toEqual([b.id]);
    expect(inside(router.slice("/run/netns/".length), "nft", "list", "ruleset")).not.toContain(a.network.ipv4);
    expect(inside(router.slice("/run/netns/".length), "cat", "/proc/net/nf_conntrack")).not.toContain(a.network.ipv4);
    expect(bed.vpc.usage()).toMatchObject([{ used: 1, cooling: 1 }]);
    await bed.removePod(a.id);
    await bed.removePod(b.id);
    await bed.vpc.stop();
    expect(bed.leftovers()).toEqual([]);
  });

  test("attach() again gives the same; after detach() another ENI in the same namespace", async () => {
    await using bed = await startedBed();
    const { id, netns, network } = await bed.addPod();
    const request = {
      sandboxId: id,
      netnsPath: bed.netnsPath(id),
      namespace: "ns",
      name: "pod",
      labels: {},
      annotations: {},
    };
    expect(await bed.vpc.attach(request)).toEqual(network);
    await bed.vpc.detach(id);
    const later = await bed.vpc.attach(request);
    expect(later.eniId).not.toBe(network.eniId);
    expect(later.ipv4).not.toBe(network.ipv4);
    expect(inside(netns, "ip", "addr", "show", "dev", "eth0")).toContain(later.ipv4);
  });

  test("attach() that fails leaves nothing, and its addresses rest", async () => {
    await using bed = await startedBed();
    const id = newId();
    const request = {
      sandboxId: id,
      netnsPath: "/run/netns/none",
      namespace: "ns",
      name: "lost",
      labels: {},
      annotations: {},
    };
    await expect(bed.vpc.attach(request)).rejects.toMatchObject({
      code: "SystemFailure",
      message: expect.stringContaining('"ns/lost"'),
    });
    await expect.poll(() => bed.vpc.enis(), { timeout: 5000 }).toEqual([]);
    expect(bed.vpc.usage()).toMatchObject([{ used: 0, cooling: 1 }]);
  });

  test("many pods come and go side by side", async () => {
    await using bed = await startedBed();
    const pods = await Promise.all(Array.from({ length: 40 }, () => bed.addPod()));
    expect(new Set(pods.map(({ network }) => network.ipv4)).size).toBe(40);
    await Promise.all(pods.map(({ id }) => bed.removePod(id)));
    await bed.vpc.stop();
    expect(bed.leftovers()).toEqual([]);
  });
});

describe("the way out of a VPC", () => {
  test("leads through the NAT gateway to the internet, which sees the host", async () => {
    await using bed = await startedBed(randomSettings({ natGateway: true }));
    const { netns, network } = await bed.addPod();
    await fakeInternet(async (address) => {
      expect(connectFrom(netns, address, port)).toBe(`saw ${address.replace(/9$/, "1")}`);
      // IPv6 stays inside: the router has no default route for it.
      expect(connectFrom(netns, "2001:db8::1", port)).toBe("failed 101");
      expect(network.ipv6).toBeDefined();
    });
  });

  test("does not exist without a NAT gateway: the network is unreachable", async () => {
    await using bed = await startedBed();
    const { netns } = await bed.addPod();
    await fakeInternet(async (address) => expect(connectFrom(netns, address, port)).toBe("failed 101"));
  });
});

describe("the way into a VPC", () => {
  test("is closed from outside, even for who has a route", async () => {
    await using bed = await startedBed(randomSettings({ natGateway: true }));
    const { netns, network } = await bed.addPod();
    await serve(netns, network.ipv4);
    await fakeInternet(async (address, internet) => {
      inside(internet, "ip", "route", "add", "default", "via", address.replace(/9$/, "1"));
      expect(connectFrom("", network.ipv4, port)).toMatch(/^saw 169/);
      expect(connectFrom(internet, network.ipv4, port)).toBe("failed timeout");
    });
  });
});

describe("several VPCs and instances", () => {
  test("two VPCs with the same range don't see each other; one of them is reached from the host", async () => {
    const settings = randomSettings({ natGateway: true });
    const [vpc] = settings.vpcs;
    const [vswitch] = settings.vswitches;
    if (vpc === undefined || vswitch === undefined) throw new Error("no settings");
    await using bed = await startedBed({
      vpcs: [vpc, { ...vpc, id: "vpc-u" }],
      vswitches: [vswitch, { ...vswitch, id: "vsw-u", vpc: "vpc-u" }],
    });
    const a = await bed.addPod();
    const b = await bed.addPod({ "k8s.aliyun.com/eci-vswitch": "vsw-u" });
    expect([a.network.vpcId, b.network.vpcId]).toEqual(["vpc-t", "vpc-u"]);
    await serve(a.netns, a.network.ipv4);
    await serve(b.netns, b.network.ipv4);
    expect(connectFrom("", a.network.ipv4, port)).toMatch(/^saw 169/);
    if (a.network.ipv4 !== b.network.ipv4) {
      expect(connectFrom(b.netns, a.network.ipv4, port)).not.toMatch(/^saw/);
      expect(connectFrom(a.netns, b.network.ipv4, port)).not.toMatch(/^saw/);
    }
  });

  test("two instances run side by side, apart from each other, and go one by one", async () => {
    await using one = await startedBed(randomSettings({ natGateway: true }));
    await using two = await startedBed(randomSettings({ natGateway: true }));
    const [a, b] = [await one.addPod(), await two.addPod()];
    await serve(a.netns, a.network.ipv4);
    await serve(b.netns, b.network.ipv4);
    expect(connectFrom("", a.network.ipv4, port)).toMatch(/^saw 169/);
    expect(connectFrom("", b.network.ipv4, port)).toMatch(/^saw 169/);
    // The host routes to both, and yet forwards nothing between them.
    expect(connectFrom(a.netns, b.network.ipv4, port)).toBe("failed timeout");
    await one.removePod(a.id);
    await one.vpc.stop();
    expect(one.leftovers()).toEqual([]);
    expect(connectFrom("", b.network.ipv4, port)).toMatch(/^saw 169/);
  });

  test("start() refuses a range the host has a route for, naming it, and changes nothing", async () => {
    await using one = await startedBed();
    await using two = new NetworkBed(one.settings);
    const cidr = one.settings.vpcs[0]?.cidr ?? "";
    await expect(two.vpc.start(new Set())).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringMatching(
        new RegExp(`${cidr}.*"vpc-t".*through link "ngw\\w+" \\(podling/${one.instance}/vpc/vpc-t\\)`),
      ),
    });
    expect(two.vpc.status()).toMatchObject({ ready: false, reason: "NetworkStartFailed" });
    expect(two.leftovers()).toEqual([]);
    await expect(two.addPod()).rejects.toMatchObject({ code: "Unavailable" });
  });
});

async function hostEnd(bed: NetworkBed): Promise<readonly string[]> {
  const links = await bed.kernel.listLinks("");
  const own = links.find(({ alias }) => alias === `podling/${bed.instance}/vpc/vpc-t`)?.index;
  const addresses = await bed.kernel.listAddresses("");
  return addresses.filter(({ linkIndex }) => linkIndex === own).map(({ address }) => address);
}
