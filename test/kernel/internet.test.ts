import { execFileSync, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { SecurityGroup } from "../../src/manifests/security-group.ts";
import type { NetworkSettings } from "../../src/network/vpc-config.ts";
import { outsideRange } from "../support/own-numbers.ts";
import { connectFrom, NetworkBed, randomInstance, randomSettings } from "./network-bed.ts";
import { FakeInternet, NetworkServers } from "./network-servers.ts";

const key = (name: string) => `k8s.aliyun.com/${name}`;
const port = 8080;
/** ENETUNREACH */
const unreachable = "failed 101";
const dropped = "failed timeout";

const web: SecurityGroup = {
  id: "sg-web",
  vpcId: "vpc-t",
  type: "basic",
  intranet: "accept",
  rules: [
    {
      direction: "ingress",
      policy: "accept",
      protocol: "tcp",
      ports: [{ first: port, last: port }],
      peer: "all",
      priority: 1,
    },
  ],
};

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

async function startedBed(settings: NetworkSettings, directory?: string, instance = randomInstance()) {
  const bed = new NetworkBed(settings, instance, directory);
  await bed.vpc.start(bed.live);
  return bed;
}

const hostRoutes = () => execFileSync("ip", ["route"], { encoding: "utf8" });

describe("the NAT gateway", () => {
  test("translates what its SNAT entries name, as the host or as an EIP; for others the internet is unreachable", async () => {
    const settings = randomSettings({ natGateway: true });
    const [vpc, vswitch] = [settings.vpcs[0], settings.vswitches[0]];
    if (vpc === undefined || vswitch === undefined) throw new Error("no settings");
    const prefix = vswitch.cidr.split(".").slice(0, 3).join(".");
    const eip = `${outsideRange()}.9`;
    const part = (id: string, cidr: string) => ({ ...vswitch, id, cidr, ipv6Cidr: "" });
    await using bed = await startedBed({
      vpcs: [
        {
          ...vpc,
          snatEntries: [
            { source: "vsw-host", eip: "" },
            { source: `${prefix}.32/28`, eip: "eip-nat" },
          ],
        },
      ],
      vswitches: [
        part("vsw-host", `${prefix}.0/28`),
        part("vsw-eip", `${prefix}.32/28`),
        part("vsw-none", `${prefix}.64/28`),
      ],
      eips: [{ id: "eip-nat", address: eip, bandwidth: 5 }],
    });
    const podOf = (id: string) => bed.addPod({ [key("eci-vswitch")]: id });
    const [asHost, asEip, none] = [await podOf("vsw-host"), await podOf("vsw-eip"), await podOf("vsw-none")];
    using internet = new FakeInternet();
    internet.route(`${eip}/32`);
    using servers = new NetworkServers();
    await servers.listen(internet.netns, internet.address, port);
    await servers.listen(asEip.netns, asEip.network.ipv4, port);
    expect({
      asHost: connectFrom(asHost.netns, internet.address, port),
      asEip: connectFrom(asEip.netns, internet.address, port),
      none: connectFrom(none.netns, internet.address, port),
      intoNatEip: connectFrom(internet.netns, eip, port),
    }).toEqual({
      asHost: `saw ${internet.hostAddress}`,
      asEip: `saw ${eip}`,
      none: unreachable,
      intoNatEip: dropped,
    });
    await expect(bed.addPod({ [key("eci-eip-instanceid")]: "eip-nat" })).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining("a NAT gateway"),
    });
  });
});

describe("an EIP", () => {
  test("is the pod's address to the internet in both directions, as far as its security groups let in; released with the pod", async () => {
    const range = outsideRange();
    await using bed = await startedBed({
      ...randomSettings(),
      securityGroups: [web],
      eips: [{ id: "eip-web", address: `${range}.200`, bandwidth: 50 }],
      eipPools: [{ id: "pippool-a", cidr: `${range}.0/30`, isp: "BGP" }],
    });
    const bound = await bed.addPod({ [key("eci-eip-instanceid")]: "eip-web" });
    const created = await bed.addPod({ [key("eci-with-eip")]: "true" });
    const plain = await bed.addPod();
    const eip = created.network.eip?.address ?? "";
    expect(bound.network.eip).toEqual({ id: "eip-web", address: `${range}.200`, bandwidthMbps: 50, created: false });
    expect(created.network.eip).toMatchObject({ bandwidthMbps: 5, created: true, id: expect.stringMatching(/^eip-/) });
    expect(eip.startsWith(`${range}.`)).toBe(true);
    using internet = new FakeInternet();
    internet.route(`${range}.0/24`);
    using servers = new NetworkServers();
    await servers.listen(internet.netns, internet.address, port);
    for (const { netns, network } of [bound, created]) {
      await servers.listen(netns, network.ipv4, port);
      await servers.listen(netns, network.ipv4, port + 1);
    }
    expect({
      boundOut: connectFrom(bound.netns, internet.address, port),
      createdOut: connectFrom(created.netns, internet.address, port),
      plainOut: connectFrom(plain.netns, internet.address, port),
      boundIn: connectFrom(internet.netns, `${range}.200`, port),
      createdIn: connectFrom(internet.netns, eip, port),
      closedPort: connectFrom(internet.netns, eip, port + 1),
      nobodys: connectFrom(internet.netns, `${range}.100`, port),
      fromPod: connectFrom(plain.netns, eip, port),
      fromHost: connectFrom("", eip, port).replace(/ .*/, ""),
      privateFromOutside: connectFrom(internet.netns, created.network.ipv4, port).startsWith("saw"),
    }).toEqual({
      boundOut: `saw ${range}.200`,
      createdOut: `saw ${eip}`,
      plainOut: unreachable,
      boundIn: `saw ${internet.address}`,
      createdIn: `saw ${internet.address}`,
      closedPort: dropped,
      nobodys: expect.stringMatching(/^failed/),
      fromPod: `saw ${plain.network.ipv4}`,
      fromHost: "saw",
      privateFromOutside: false,
    });
    await bed.removePod(created.id);
    expect(hostRoutes()).not.toContain(`${eip} `);
    expect(connectFrom(internet.netns, eip, port)).toMatch(/^failed/);
    await expect(bed.addPod({ [key("eci-eip-instanceid")]: "eip-web" })).rejects.toMatchObject({
      message: expect.stringContaining('in use by pod "ns/pod"'),
    });
    for (const id of [...bed.live]) await bed.removePod(id);
    await bed.vpc.stop();
    expect(bed.leftovers()).toEqual([]);
    expect(hostRoutes()).not.toContain(`${range}.`);
  });

  test("outlives the agent: after a restart it leads to its pod, though its route and the host's rules were lost", async () => {
    const directory = mkdtempSync(join(tmpdir(), "podling-net-"));
    directories.push(directory);
    const range = outsideRange();
    const settings = {
      ...randomSettings(),
      securityGroups: [web],
      eipPools: [{ id: "pippool-a", cidr: `${range}.0/24`, isp: "BGP" as const }],
    };
    const bed = await startedBed(settings, directory);
    const pod = await bed.addPod({ [key("eci-with-eip")]: "true", "kubernetes.io/egress-bandwidth": "40M" });
    const eip = pod.network.eip?.address ?? "";
    const tc = () =>
      execFileSync("ip", ["netns", "exec", `podling-${bed.instance}-vpc-vpc-t`, "tc", "qdisc"], { encoding: "utf8" });
    const queues = tc();
    execFileSync("ip", ["route", "delete", eip]);
    execFileSync("nft", ["flush", "set", "inet", `podling_${bed.instance}`, "eips"]);
    const stray = `${range}.250`;
    const link = bed.vpc.enis()[0]?.linkName ?? "";
    execFileSync("ip", [
      "netns",
      "exec",
      `podling-${bed.instance}-vpc-vpc-t`,
      "tc",
      "qdisc",
      "delete",
      "dev",
      link,
      "ingress",
    ]);
    await bed.abandon();
    await using next = new NetworkBed(settings, bed.instance, directory);
    for (const id of bed.live) next.live.add(id);
    await next.vpc.start(next.live);
    using internet = new FakeInternet();
    internet.route(`${range}.0/24`);
    using servers = new NetworkServers();
    await servers.listen(pod.netns, pod.network.ipv4, port);
    expect(connectFrom(internet.netns, eip, port)).toBe(`saw ${internet.address}`);
    expect(hostRoutes()).not.toContain(stray);
    expect(tc().split("\n").sort()).toEqual(queues.split("\n").sort());
    // Nobody else gets it meanwhile.
    const other = await next.addPod({ [key("eci-with-eip")]: "true" });
    expect(other.network.eip?.address).not.toBe(eip);
  });
});

describe("two agents", () => {
  test("don't lead the same address to two routers: the second does not start", async () => {
    const range = outsideRange();
    const eipPools = [{ id: "pippool-a", cidr: `${range}.0/24`, isp: "BGP" as const }];
    await using one = await startedBed({ ...randomSettings(), eipPools });
    await one.addPod({ [key("eci-with-eip")]: "true" });
    await using two = new NetworkBed({ ...randomSettings(), eipPools });
    await expect(two.vpc.start(new Set())).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringMatching(new RegExp(`${range}\\.0/24 .*podling/${one.instance}/vpc/vpc-t`)),
    });
    expect(two.leftovers()).toEqual([]);
  });
});

describe("an IPv6 address that leads to the internet", () => {
  const forwarding = spawnSync("sysctl", ["-n", "net.ipv6.conf.all.forwarding"], { encoding: "utf8" }).stdout.trim();

  const on = { [key("eci-ipv6-bandwidth-enable")]: "true", [key("eci-ipv6-bandwidth")]: "100M" };

  test.skipIf(forwarding !== "1")(
    "is translated if the internet has no route to it; without the switch it leads nowhere",
    async () => {
      await using bed = await startedBed({ ...randomSettings(), securityGroups: [web] });
      const [open, shut] = [await bed.addPod(on), await bed.addPod()];
      using internet = new FakeInternet();
      using servers = new NetworkServers();
      await servers.listen(internet.netns, internet.ipv6, port);
      expect(connectFrom(open.netns, internet.ipv6, port)).toBe(`saw ${internet.hostIpv6}`);
      expect(connectFrom(shut.netns, internet.ipv6, port)).toBe(unreachable);
      expect(open.network).toMatchObject({ ipv6Internet: true, limits: { internet6: 100_000_000 } });
    },
  );

  test.skipIf(forwarding !== "1")(
    "is the pod's own if it has one of the internet, reached from there as far as its security groups let in",
    async () => {
      const settings = randomSettings();
      const global = `2001:db8:${randomInt(1, 0xffff).toString(16)}`;
      const [vpc, vswitch] = [settings.vpcs[0], settings.vswitches[0]];
      if (vpc === undefined || vswitch === undefined) throw new Error("no settings");
      await using bed = await startedBed({
        vpcs: [{ ...vpc, ipv6Cidr: `${global}::/56` }],
        vswitches: [{ ...vswitch, ipv6Cidr: `${global}::/64` }],
        securityGroups: [web],
      });
      const [open, shut] = [await bed.addPod(on), await bed.addPod()];
      using internet = new FakeInternet();
      internet.route(`${global}::/56`);
      using servers = new NetworkServers();
      await servers.listen(internet.netns, internet.ipv6, port);
      for (const { netns, network } of [open, shut]) {
        await servers.listen(netns, network.ipv6 ?? "", port);
        await servers.listen(netns, network.ipv6 ?? "", port + 1);
      }
      expect({
        out: connectFrom(open.netns, internet.ipv6, port),
        shutOut: connectFrom(shut.netns, internet.ipv6, port),
        into: connectFrom(internet.netns, open.network.ipv6 ?? "", port),
        closedPort: connectFrom(internet.netns, open.network.ipv6 ?? "", port + 1),
        shutIn: connectFrom(internet.netns, shut.network.ipv6 ?? "", port),
      }).toEqual({
        out: `saw ${open.network.ipv6}`,
        shutOut: unreachable,
        into: `saw ${internet.ipv6}`,
        closedPort: dropped,
        shutIn: dropped,
      });
    },
  );
});
