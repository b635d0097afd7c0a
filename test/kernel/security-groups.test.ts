import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { noManifests } from "../../src/manifests/node-manifests.ts";
import type { SecurityGroup, SecurityRule } from "../../src/manifests/security-group.ts";
import { connectFrom, NetworkBed, randomSettings } from "./network-bed.ts";
import { FakeInternet, NetworkServers } from "./network-servers.ts";

const annotation = "k8s.aliyun.com/eci-security-group";
const dropped = "failed timeout";

function rule(change: Partial<SecurityRule> & Pick<SecurityRule, "direction">): SecurityRule {
  return { policy: "accept", protocol: "all", ports: [], peer: "all", priority: 1, ...change };
}

function group(id: string, rules: readonly SecurityRule[] = [], change: Partial<SecurityGroup> = {}): SecurityGroup {
  return { id, vpcId: "vpc-t", type: "basic", intranet: "accept", rules, ...change };
}

async function startedBed(securityGroups: readonly SecurityGroup[], natGateway = false): Promise<NetworkBed> {
  const bed = new NetworkBed({ ...randomSettings({ natGateway }), securityGroups });
  await bed.vpc.start(bed.live);
  return bed;
}

const tcp = (...ports: readonly number[]) => ({
  protocol: "tcp" as const,
  ports: ports.map((port) => ({ first: port, last: port })),
});
const pings = (netns: string, address: string) =>
  spawnSync("ip", ["netns", "exec", netns, "busybox", "ping", "-c", "1", "-W", "2", address]).status === 0;

describe("security groups", () => {
  test("members reach each other, others by rule, and who may not send reaches nobody", async () => {
    await using bed = await startedBed([
      group("sg-a"),
      group("sg-b", [rule({ direction: "ingress", ...tcp(80), peer: { group: "sg-a" } })]),
      group("sg-mute", [rule({ direction: "egress", policy: "drop" })]),
    ]);
    const a = await bed.addPod({ [annotation]: "sg-a" });
    const mute = await bed.addPod({ [annotation]: "sg-a, sg-mute" });
    const b = await bed.addPod({ [annotation]: "sg-b" });
    using servers = new NetworkServers();
    for (const { netns, network } of [a, mute, b]) {
      for (const port of [80, 81]) {
        await servers.listen(netns, network.ipv4, port);
        await servers.listen(netns, network.ipv6 ?? "", port);
      }
    }
    const hostEnd = (await bed.kernel.listAddresses("")).find(
      ({ address }) => address.startsWith("169.254.") && pings(a.netns, address),
    )?.address;
    expect(hostEnd, "a member may ping the host").toBeDefined();
    const tries = (family: "ipv4" | "ipv6") => ({
      "same group": connectFrom(a.netns, mute.network[family] ?? "", 81),
      "a to b, port of the rule": connectFrom(a.netns, b.network[family] ?? "", 80),
      "a to b, another port": connectFrom(a.netns, b.network[family] ?? "", 81),
      "b to a": connectFrom(b.netns, a.network[family] ?? "", 80),
      "egress closed": connectFrom(mute.netns, a.network[family] ?? "", 80),
      "host to a, for probes": connectFrom("", a.network[family] ?? "", 80).replace(/ .*/, ""),
    });
    const wanted = (from: string | undefined) => ({
      "same group": `saw ${from}`,
      "a to b, port of the rule": `saw ${from}`,
      "a to b, another port": dropped,
      "b to a": dropped,
      "egress closed": dropped,
      "host to a, for probes": "saw",
    });
    expect(tries("ipv4")).toEqual(wanted(a.network.ipv4));
    expect(tries("ipv6")).toEqual(wanted(a.network.ipv6));
    expect(pings(mute.netns, hostEnd ?? "")).toBe(false);
  });

  test("the first matching rule by priority decides, and dropping goes first at the same priority, over all groups", async () => {
    await using bed = await startedBed([
      group("sg-open", [
        rule({ direction: "ingress", ...tcp(80, 81, 82), priority: 5 }),
        rule({ direction: "ingress", ...tcp(83), priority: 1 }),
      ]),
      group("sg-shut", [
        rule({ direction: "ingress", ...tcp(80), policy: "drop", priority: 5 }),
        rule({ direction: "ingress", ...tcp(81), policy: "drop", priority: 6 }),
        rule({ direction: "ingress", ...tcp(82), policy: "drop", priority: 4 }),
      ]),
      group("sg-c"),
    ]);
    const server = await bed.addPod({ [annotation]: "sg-open,sg-shut" });
    const client = await bed.addPod({ [annotation]: "sg-c" });
    using servers = new NetworkServers();
    for (const port of [80, 81, 82, 83, 84]) await servers.listen(server.netns, server.network.ipv4, port);
    const results = [80, 81, 82, 83, 84].map((port) => connectFrom(client.netns, server.network.ipv4, port));
    const saw = `saw ${client.network.ipv4}`;
    expect(results).toEqual([dropped, saw, dropped, saw, dropped]);
  });

  test("a range as the peer counts for its family; members that isolate don't reach each other; enterprise groups let nothing through by themselves", async () => {
    const settings = randomSettings();
    const cidr = settings.vpcs[0]?.cidr ?? "";
    await using bed = new NetworkBed({
      ...settings,
      securityGroups: [
        group("sg-apart", [], { intranet: "drop" }),
        group("sg-range", [rule({ direction: "ingress", ...tcp(80), peer: { family: 4, cidr } })]),
        group("sg-firm", [], { type: "enterprise" }),
        group("sg-firm-out", [rule({ direction: "egress", peer: { family: 4, cidr } })], { type: "enterprise" }),
      ],
    });
    await bed.vpc.start(bed.live);
    const [apart, other] = [await bed.addPod(), await bed.addPod()];
    const ranged = await bed.addPod({ [annotation]: "sg-range" });
    const firm = await bed.addPod({ [annotation]: "sg-firm" });
    const out = await bed.addPod({ [annotation]: "sg-firm,sg-firm-out" });
    expect(other.network.securityGroups).toEqual(["sg-apart"]);
    using servers = new NetworkServers();
    for (const { netns, network } of [other, ranged, firm]) {
      await servers.listen(netns, network.ipv4, 80);
      await servers.listen(netns, network.ipv6 ?? "", 80);
    }
    expect({
      isolated: connectFrom(apart.netns, other.network.ipv4, 80),
      inRange: connectFrom(apart.netns, ranged.network.ipv4, 80),
      otherFamily: connectFrom(apart.netns, ranged.network.ipv6 ?? "", 80),
      firmOut: connectFrom(firm.netns, ranged.network.ipv4, 80),
      firmByRule: connectFrom(out.netns, ranged.network.ipv4, 80),
      firmMembers: connectFrom(out.netns, firm.network.ipv4, 80),
    }).toEqual({
      isolated: dropped,
      inRange: `saw ${apart.network.ipv4}`,
      otherFamily: dropped,
      firmOut: dropped,
      firmByRule: `saw ${out.network.ipv4}`,
      firmMembers: dropped,
    });
  });

  test("a changed declaration holds for running pods; a group that is gone allows nothing; a pod's end takes it out of its groups", async () => {
    await using bed = await startedBed([group("sg-a"), group("sg-b")], true);
    const a = await bed.addPod({ [annotation]: "sg-a" });
    const b = await bed.addPod({ [annotation]: "sg-b" });
    using servers = new NetworkServers();
    await servers.listen(b.netns, b.network.ipv4, 80);
    const attempt = () => connectFrom(a.netns, b.network.ipv4, 80);
    const declare = async (...securityGroups: readonly SecurityGroup[]) => {
      bed.manifests = { ...noManifests, securityGroups };
      await bed.vpc.refresh();
    };
    expect(attempt()).toBe(dropped);
    const opened = group("sg-b", [rule({ direction: "ingress", peer: { group: "sg-a" } })]);
    await declare(opened);
    expect(attempt()).toBe(`saw ${a.network.ipv4}`);
    expect(await bed.differences()).toEqual([]);
    await declare(opened, group("sg-a", [rule({ direction: "egress", policy: "drop" })]));
    expect(attempt()).toBe(dropped);
    // Its members are still its members.
    await declare(opened, group("sg-a", [], { vpcId: "vpc-elsewhere" }));
    expect(attempt()).toBe(dropped);
    await declare(opened);
    await bed.removePod(a.id);
    const sets = JSON.stringify(
      await bed.kernel.listNftables(`/run/netns/podling-${bed.instance}-vpc-vpc-t`, "list table inet podling"),
    );
    expect(sets).not.toContain(a.network.ipv4);
    expect(sets).toContain(b.network.ipv4);
  });

  test("what comes from outside without an exemption is dropped, groups or not", async () => {
    await using bed = await startedBed([group("sg-wide", [rule({ direction: "ingress" })])], true);
    const pod = await bed.addPod();
    using servers = new NetworkServers();
    await servers.listen(pod.netns, pod.network.ipv4, 80);
    using internet = new FakeInternet();
    internet.route("10.0.0.0/8");
    expect(connectFrom(internet.netns, pod.network.ipv4, 80)).toBe(dropped);
    expect(connectFrom("", pod.network.ipv4, 80)).toMatch(/^saw 169/);
  });

  test("no packet of a pod passes before its rules are there, nor when they are taken away", async () => {
    await using bed = await startedBed([group("sg-a")]);
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    using servers = new NetworkServers();
    await servers.listen(b.netns, b.network.ipv4, 80);
    const nft = (command: string) => {
      const netns = `podling-${bed.instance}-vpc-vpc-t`;
      expect(spawnSync("ip", ["netns", "exec", netns, "nft", ...command.split(" ")]).status).toBe(0);
    };
    nft("flush map inet podling egress");
    expect(connectFrom(a.netns, b.network.ipv4, 80)).toBe(dropped);
    bed.manifests = { ...noManifests, securityGroups: [group("sg-a", [rule({ direction: "ingress" })])] };
    await bed.vpc.refresh();
    nft("flush map inet podling ingress");
    expect(connectFrom(a.netns, b.network.ipv4, 80)).toBe(dropped);
  });

  test("pods that come and go beside changes end up with what is declared last", async () => {
    await using bed = await startedBed([group("sg-a"), group("sg-b")]);
    const wanted = group("sg-b", [rule({ direction: "ingress", peer: { group: "sg-a" } })]);
    const changes = (async () => {
      for (let round = 0; round < 15; round++) {
        bed.manifests = {
          ...noManifests,
          securityGroups: round % 2 === 0 ? [wanted] : [group("sg-b", [], { intranet: "drop" })],
        };
        await bed.vpc.refresh();
      }
    })();
    const lives = Array.from({ length: 12 }, async (_, index) => {
      const pod = await bed.addPod({ [annotation]: ["sg-a", "sg-b", "sg-a,sg-b"][index % 3] ?? "" });
      if (index % 2 === 0) await bed.removePod(pod.id);
      return pod;
    });
    const pods = await Promise.all(lives);
    await changes;
    const { enis, differences } = await bed.vpc.inspection.check();
    expect([...differences, ...enis.flatMap((eni) => eni.differences)]).toEqual([]);
    const [a, b] = [pods[3], pods[1]];
    if (a === undefined || b === undefined) throw new Error("no pods");
    using servers = new NetworkServers();
    await servers.listen(b.netns, b.network.ipv4, 80);
    expect(connectFrom(a.netns, b.network.ipv4, 80)).toBe(`saw ${a.network.ipv4}`);
  });
});
