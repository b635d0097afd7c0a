import { describe, expect, test } from "vitest";
import { parseCidr } from "../../src/network/cidr.ts";
import { type EniRecord, eniNames } from "../../src/network/eni-record.ts";
import { linkLocalOf, planEni, planEniCut } from "../../src/network/plan-eni.ts";
import { groupChains } from "../../src/network/plan-group-rules.ts";
import { planHostEip, planHostEipRemoval } from "../../src/network/plan-host-eips.ts";
import { checkHostReach, podMtu, takenRanges } from "../../src/network/plan-host-reach.ts";
import { planHostRules } from "../../src/network/plan-host-rules.ts";
import { linkNetAddresses, planLinkNet } from "../../src/network/plan-link-net.ts";
import { planRecovery } from "../../src/network/plan-recovery.ts";
import { planRouterRules } from "../../src/network/plan-vpc-router.ts";
import { parseNetworkConfig } from "../../src/network/vpc-config.ts";
import { routerSpec, vpcRecord } from "../../src/network/vpc-router-spec.ts";
import type { LinkInfo, RouteInfo } from "../../src/system/kernel-command.ts";

const config = parseNetworkConfig({
  vpcs: [{ id: "vpc-a", cidr: "10.0.0.0/16", ipv6Cidr: "fd00:1::/56", natGateway: true }],
  vswitches: [{ id: "vsw-a", vpc: "vpc-a", zone: "z", cidr: "10.0.0.0/20", ipv6Cidr: "fd00:1::/64" }],
});
const [vpc] = config.vpcs;
if (vpc === undefined) throw new Error("no VPC");
const record = vpcRecord(vpc, { ipv4: "169.254.7.8/30", ipv6: "fd9:8:7::/126" });
const router = routerSpec("one", record, { reachableFromHost: true, mtu: 1500 });

const eni: EniRecord = {
  id: "eni-x",
  state: "allocating",
  sandboxId: "5".repeat(64),
  namespace: "ns",
  name: "pod",
  netnsPath: "/run/netns/podling-one-5555555555555",
  linkName: "eniabc",
  network: {
    eniId: "eni-x",
    vpcId: "vpc-a",
    vswitchId: "vsw-a",
    mac: "00:16:3e:01:02:03",
    interfaceName: "eth0",
    ipv4: "10.0.0.5",
    ipv4PrefixLength: 20,
    ipv4Gateway: "10.0.15.253",
    ipv6: "fd00:1::5",
    ipv6PrefixLength: 64,
    securityGroups: ["sg-a"],
  },
  createdAtMs: 0,
};

const chains = groupChains(["sg-a"]);
const inGroups = [
  { family: "inet", table: "podling", name: "members4_sg-a", elem: ["10.0.0.5"] },
  { family: "inet", table: "podling", name: "members6_sg-a", elem: ["fd00:1::5"] },
  { family: "inet", table: "podling", name: "ingress", elem: [["eniabc", { goto: { target: chains.ingress } }]] },
  { family: "inet", table: "podling", name: "egress", elem: [["eniabc", { goto: { target: chains.egress } }]] },
];

describe("planEni()", () => {
  test("gives the pod its addresses, and the router the way to it, with rules before anything is up", () => {
    const plan = planEni(router, "one", eni);
    const up = JSON.stringify([plan.link, plan.rules]).includes('"up":true');
    expect(up).toBe(false);
    expect(plan).toEqual({
      host: [],
      shaping: [],
      link: [
        {
          kind: "sysctls",
          netns: eni.netnsPath,
          values: { "net/ipv6/conf/default/accept_dad": "0", "net/ipv6/conf/default/accept_ra": "0" },
        },
        {
          kind: "links",
          netns: "/run/netns/podling-one-vpc-vpc-a",
          requests: [
            {
              kind: "addVeth",
              name: "eniabc",
              mac: "ee:ff:ff:ff:ff:ff",
              mtu: 1500,
              alias: "podling/one/eni/eni-x",
              peer: { name: "eth0", netns: eni.netnsPath, mac: "00:16:3e:01:02:03" },
            },
          ],
        },
      ],
      rules: [
        {
          kind: "nftables",
          netns: "/run/netns/podling-one-vpc-vpc-a",
          commands: [
            { add: { element: element("inet", "bound4", "10.0.0.5") } },
            { add: { element: element("arp", "bound4", "10.0.0.5") } },
            ...inGroups.map((added) => ({ add: { element: added } })),
            { add: { element: element("inet", "bound6", "fd00:1::5", "fe80::216:3eff:fe01:203") } },
          ],
        },
      ],
      router: [
        {
          kind: "links",
          netns: "/run/netns/podling-one-vpc-vpc-a",
          requests: [
            { kind: "setProxyDelay", link: "eniabc", delayMs: 0 },
            { kind: "setLink", link: "eniabc", up: true, alias: "podling/one/eni/eni-x" },
            { kind: "addAddress", link: "eniabc", address: "10.0.15.253", prefixLength: 32 },
            { kind: "addRoute", destination: "10.0.0.5/32", link: "eniabc" },
            { kind: "addNeighbour", link: "eniabc", address: "10.0.0.5", mac: "00:16:3e:01:02:03" },
            { kind: "addAddress", link: "eniabc", address: "fe80::1", prefixLength: 64 },
            { kind: "addRoute", destination: "fd00:1::5/128", link: "eniabc" },
            { kind: "addNeighbour", link: "eniabc", address: "fd00:1::5", mac: "00:16:3e:01:02:03" },
          ],
        },
      ],
      pod: [
        {
          kind: "links",
          netns: eni.netnsPath,
          requests: [
            { kind: "setLink", link: "eth0", up: true },
            { kind: "addAddress", link: "eth0", address: "10.0.0.5", prefixLength: 20 },
            { kind: "addRoute", destination: "0.0.0.0/0", gateway: "10.0.15.253", link: "eth0" },
            { kind: "addAddress", link: "eth0", address: "fd00:1::5", prefixLength: 64, noPrefixRoute: true },
            { kind: "addRoute", destination: "::/0", gateway: "fe80::1", link: "eth0" },
          ],
        },
      ],
    });
  });

  test("without IPv6 nothing of it is touched", () => {
    const plain = { ...eni, network: { ...eni.network, ipv6: undefined, ipv6PrefixLength: undefined } };
    const text = JSON.stringify(planEni(router, "one", plain));
    expect(text).not.toMatch(/fe80|ipv6|::/);
  });

  test("planEniCut() deletes what planEni() bound, present or not", () => {
    const [cut] = planEniCut(router, "one", eni);
    expect(cut?.kind === "nftables" && cut.commands).toEqual([
      { add: { element: element("inet", "bound4", "10.0.0.5") } },
      { delete: { element: element("inet", "bound4", "10.0.0.5") } },
      { add: { element: element("arp", "bound4", "10.0.0.5") } },
      { delete: { element: element("arp", "bound4", "10.0.0.5") } },
      ...inGroups.flatMap((added) => [{ add: { element: added } }, { delete: { element: added } }]),
      { add: { element: element("inet", "bound6", "fd00:1::5", "fe80::216:3eff:fe01:203") } },
      { delete: { element: element("inet", "bound6", "fd00:1::5", "fe80::216:3eff:fe01:203") } },
    ]);
  });

  test.each([
    ["00:16:3e:01:02:03", "fe80::216:3eff:fe01:203"],
    ["02:00:00:00:00:00", "fe80::ff:fe00:0"],
  ])("linkLocalOf(%s) is %s", (mac, address) => expect(linkLocalOf(mac)).toBe(address));

  function element(family: string, name: string, ...addresses: readonly string[]) {
    const elem = addresses.map((address) => ({ concat: ["eniabc", "00:16:3e:01:02:03", address] }));
    return { family, table: "podling", name, elem };
  }
});

describe("names", () => {
  test("an ENI's names fit, and differ by instance, sandbox and nonce", () => {
    const all = [eniNames("a", "s", "1"), eniNames("b", "s", "1"), eniNames("a", "t", "1"), eniNames("a", "s", "2")];
    for (const { id, linkName, mac } of all) {
      expect(id).toMatch(/^eni-[a-z2-7]{20}$/);
      expect(linkName).toMatch(/^eni[a-z2-7]{12}$/);
      expect(mac).toMatch(/^00:16:3e(:[0-9a-f]{2}){3}$/);
    }
    for (const key of ["id", "linkName", "mac"] as const) expect(new Set(all.map((names) => names[key])).size).toBe(4);
    expect(router.hostLink).toMatch(/^ngw[a-z2-7]{10}$/);
  });
});

describe("planRouterRules()", () => {
  const text = (change: object) => {
    const [rules] = planRouterRules({ ...router, vpc: { ...vpc, ...change } }, [], new Map());
    return rules?.kind === "nftables" ? String(rules.commands) : "";
  };
  const whole = parseCidr("range", "10.0.0.0/16");
  const part = parseCidr("range", "10.0.1.0/24");

  test("the way out of the VPC is open for what a NAT gateway translates, smaller ranges first", () => {
    const entries = [
      { source: part, address: "203.0.113.9" },
      { source: whole, address: undefined },
    ];
    const rules = text({ snatEntries: entries });
    expect(rules).toContain("to_recipient ip saddr 10.0.0.0/16 accept");
    expect(rules.indexOf("ip saddr 10.0.1.0/24 snat ip to 203.0.113.9")).toBeLessThan(
      rules.indexOf("ip saddr 10.0.0.0/16 masquerade"),
    );
    expect(rules).toContain("to_recipient reject with icmpx type no-route");
  });

  test("without a NAT gateway nobody goes out but by an EIP", () => {
    const rules = text({ natGateway: false, snatEntries: [] });
    expect(rules).not.toMatch(/ip saddr 10\.0\.0\.0/);
    expect(rules).toContain("to_recipient ip saddr @internet4 accept");
  });

  test("IPv6 addresses that the internet has no route to are translated, others are not", () => {
    expect(text({})).toContain("ip6 saddr @internet6 masquerade");
    expect(text({ ipv6Cidr: parseCidr("range", "2001:db8::/56") })).not.toContain("@internet6 masquerade");
  });
});

describe("planHostEip()", () => {
  test("leads the address to the router, and planHostEipRemoval() takes back exactly that", () => {
    const bound = { id: "eip-a", address: "203.0.113.5", bandwidthMbps: 5, created: true };
    const holder = { ...eni, network: { ...eni.network, eip: bound } };
    const route = { destination: "203.0.113.5/32", gateway: "169.254.7.10", link: router.hostLink };
    expect(JSON.stringify(planHostEip("one", router, holder))).toContain(
      JSON.stringify({
        kind: "addRoute",
        destination: route.destination,
        gateway: route.gateway,
        source: "169.254.7.9",
        link: route.link,
      }),
    );
    expect(planHostEipRemoval("one", router, holder)).toContainEqual({
      kind: "links",
      netns: "",
      requests: [{ kind: "deleteRoute", ...route }],
      ignore: ["ESRCH", "ENODEV"],
    });
    expect(planHostEip("one", router, eni)).toEqual([]);
  });
});

describe("planHostRules()", () => {
  test("only translated addresses leave", () => {
    const closed = {
      ...router,
      hostLink: "ngwb",
      addresses: linkNetAddresses({ ipv4: "169.254.7.12/30", ipv6: "fd9:8:7::/126" }),
      vpc: { ...vpc, natGateway: false, snatEntries: [] },
    };
    const [rules] = planHostRules("a-b", [router, closed]);
    const text = rules?.kind === "nftables" ? String(rules.commands) : "";
    expect(text).toContain("add table inet podling_a_b\ndelete table inet podling_a_b\nadd table inet podling_a_b\n");
    expect(text).toContain(`iifname { "${router.hostLink}", "ngwb" } ip saddr != { 169.254.7.10 } drop`);
    expect(text).toContain('outgoing ip saddr { 169.254.7.10 } oifname != "ngw*" masquerade');
    expect(JSON.stringify(planHostRules("a", [closed]))).not.toMatch(/outgoing ip saddr/);
  });
});

describe("planLinkNet()", () => {
  const seed = (...bytes: number[]) => Uint8Array.from([...bytes, ...Array(7 - bytes.length).fill(9)]);

  test("takes the first free pair from its own starting place on", () => {
    const net = planLinkNet(seed(7, 0x42), []);
    expect(net).toEqual({ ipv4: "169.254.29.8/30", ipv6: "fd09:909:909::/126" });
    expect(linkNetAddresses(net)).toEqual({
      host: { ipv4: "169.254.29.9", ipv6: "fd09:909:909::1" },
      router: { ipv4: "169.254.29.10", ipv6: "fd09:909:909::2" },
    });
    expect(planLinkNet(seed(7, 0x42), [parseCidr("taken", net.ipv4)]).ipv4).toBe("169.254.29.12/30");
  });

  test.each([
    [seed(0, 0), "169.254.1.0/30"],
    [seed(0x3f, 0xff), "169.254.1.0/30"],
    [seed(42, 64), "169.254.170.0/30"],
  ])("keeps off what is reserved", (bytes, ipv4) => {
    expect(planLinkNet(bytes, []).ipv4).toBe(ipv4);
  });

  test("says so when nothing is free", () => {
    expect(() => planLinkNet(seed(1), [parseCidr("taken", "169.254.0.0/16")])).toThrow(
      "no /30 of 169.254.0.0/16 is free",
    );
  });
});

describe("the host's network", () => {
  const link = (index: number, name: string, alias = "", mtu = 1500): LinkInfo => ({
    index,
    name,
    alias,
    mtu,
    mac: "",
    up: true,
    group: 0,
    type: "",
    peerIndex: 0,
  });
  const route = (destination: string, linkIndex: number, table = 254): RouteInfo => ({
    destination,
    linkIndex,
    table,
    type: 1,
    gateway: undefined,
    source: undefined,
  });
  const links = [link(1, "eth0", "", 1400), link(2, "ngwother", "podling/two/vpc/v"), link(3, router.hostLink)];
  const host = (...routes: readonly RouteInfo[]) => ({ links, addresses: [], routes });

  test.each([
    ["its own routes", [route("10.0.0.0/16", 3)]],
    ["default routes", [route("0.0.0.0/0", 1), route("::/0", 1)]],
    ["neighbouring ranges", [route("10.1.0.0/16", 1), route("fd00:2::/56", 1)]],
    ["its own addresses", [route("10.0.0.1/32", 1, 255)]],
  ])("checkHostReach() is content with %s", (_, routes) => {
    expect(() => checkHostReach(vpc, router.hostLink, host(...routes))).not.toThrow();
  });

  test.each([
    ["10.0.0.0/16", 2, 'its route 10.0.0.0/16 through link "ngwother" (podling/two/vpc/v) overlaps it'],
    ["10.0.0.0/8", 1, 'Cannot route 10.0.0.0/16 of VPC "vpc-a" on this host: its route 10.0.0.0/8 through link "eth0"'],
    ["10.0.3.0/24", 1, "10.0.3.0/24"],
    ["fd00:1:0:5::/64", 1, 'Cannot route fd00:1::/56 of VPC "vpc-a"'],
  ])("checkHostReach() refuses %s", (destination, index, words) => {
    expect(() => checkHostReach(vpc, router.hostLink, host(route(destination, index)))).toThrow(words);
  });

  test("podMtu() is the uplink's, and at most Ethernet's", () => {
    expect(podMtu(host(route("0.0.0.0/0", 1)))).toBe(1400);
    expect(podMtu({ ...host(route("0.0.0.0/0", 1)), links: [link(1, "eth0", "", 9000)] })).toBe(1500);
    expect(podMtu(host())).toBe(1500);
  });

  test("takenRanges() has routes and addresses, default routes aside", () => {
    const addresses = [{ linkIndex: 1, address: "192.0.2.2", prefixLength: 24, tentative: false }];
    const ranges = takenRanges({ ...host(route("0.0.0.0/0", 1), route("10.9.0.0/16", 1)), addresses });
    expect(ranges).toEqual([parseCidr("range", "10.9.0.0/16"), parseCidr("range", "192.0.2.2/32")]);
  });
});

describe("planRecovery()", () => {
  const link = (name: string) => ({ name }) as LinkInfo;
  const live = new Set([eni.sandboxId]);
  const pinnedPods = new Set([eni.netnsPath]);
  const routerLinks = new Map([["vpc-a", [link("lo"), link("ngw0"), link("eniabc")]]]);

  test.each([
    ["adopt", eni, { live, pinnedPods, routerLinks }],
    ["rebuild", eni, { live, pinnedPods, routerLinks: new Map() }],
    ["release", eni, { live: new Set<string>(), pinnedPods, routerLinks }],
    ["release", eni, { live, pinnedPods: new Set<string>(), routerLinks }],
    ["finish", { ...eni, state: "releasing" }, { live, pinnedPods, routerLinks }],
  ] as const)("%s", (fate, one, observed) => {
    const nothing = { release: [], adopt: [], rebuild: [], finish: [], orphans: new Map() };
    expect(planRecovery([one], observed)).toEqual({ ...nothing, [fate]: [one] });
  });

  test("links of no record are orphans; the router's own are not", () => {
    const observed = {
      live,
      pinnedPods,
      routerLinks: new Map([["vpc-a", [link("lo"), link("ngw0"), link("eniold")]]]),
    };
    expect(planRecovery([], observed).orphans).toEqual(new Map([["vpc-a", ["eniold"]]]));
  });
});
