import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyEciProfile } from "../../src/manifests/eci-profile.ts";
import { parseManifests } from "../../src/manifests/manifest.ts";
import { type NodeManifests, noManifests, readNodeManifests } from "../../src/manifests/node-manifests.ts";
import type { SecurityGroup, SecurityRule } from "../../src/manifests/security-group.ts";
import { planGroupChoice } from "../../src/network/plan-group-choice.ts";
import { groupChains, groupDefinition, orderedRules } from "../../src/network/plan-group-rules.ts";
import { groupsOfVpc } from "../../src/network/security-groups.ts";
import { parseNetworkConfig } from "../../src/network/vpc-config.ts";

const annotation = "k8s.aliyun.com/eci-security-group";

function rule(change: Partial<SecurityRule>): SecurityRule {
  return { direction: "ingress", policy: "accept", protocol: "all", ports: [], peer: "all", priority: 1, ...change };
}

function group(id: string, change: Partial<SecurityGroup> = {}): SecurityGroup {
  return { id, vpcId: "vpc-a", type: "basic", intranet: "accept", rules: [], ...change };
}

const byId = (...groups: readonly SecurityGroup[]) => new Map(groups.map((one) => [one.id, one]));

describe("groupDefinition()", () => {
  const { egress, ingress } = groupChains(["sg-a"]);
  const chain = (name: string, ...lines: readonly string[]) => [
    `add chain t ${name}`,
    `flush chain t ${name}`,
    ...lines.map((line) => `add rule t ${name} ${line}`),
  ];
  const sets = (...ids: readonly string[]) =>
    ids.flatMap((id) => [
      `add set t members4_${id} { type ipv4_addr; }`,
      `add set t members6_${id} { type ipv6_addr; }`,
    ]);
  const inside = ["ip saddr @members4_sg-a accept", "ip6 saddr @members6_sg-a accept"];
  const everything = "goto to_recipient";

  const cases: readonly [string, SecurityGroup | undefined, readonly string[]][] = [
    [
      "a basic group without rules",
      group("sg-a"),
      [...sets("sg-a"), "add chain t to_recipient", ...chain(egress, everything), ...chain(ingress, ...inside, "drop")],
    ],
    [
      "a basic group whose members are isolated",
      group("sg-a", { intranet: "drop" }),
      [...sets("sg-a"), "add chain t to_recipient", ...chain(egress, everything), ...chain(ingress, "drop")],
    ],
    [
      "an enterprise group",
      group("sg-a", { type: "enterprise" }),
      [...sets("sg-a"), "add chain t to_recipient", ...chain(egress, "drop"), ...chain(ingress, "drop")],
    ],
    [
      "a group that is gone",
      undefined,
      [...sets("sg-a"), "add chain t to_recipient", ...chain(egress, "drop"), ...chain(ingress, "drop")],
    ],
    [
      "rules of every kind",
      group("sg-a", {
        rules: [
          rule({
            protocol: "tcp",
            ports: [
              { first: 80, last: 80 },
              { first: 8000, last: 8999 },
            ],
            peer: { family: 4, cidr: "10.0.0.0/8" },
          }),
          rule({ protocol: "icmpv6", priority: 3 }),
          rule({
            protocol: "udp",
            ports: [{ first: 53, last: 53 }],
            peer: { group: "sg-b" },
            priority: 2,
            policy: "drop",
          }),
          rule({ direction: "egress", protocol: "gre", peer: { family: 6, cidr: "fd00::/8" }, policy: "drop" }),
          rule({ direction: "egress", peer: { group: "sg-b" }, priority: 100 }),
        ],
      }),
      [
        ...sets("sg-a", "sg-b"),
        "add chain t to_recipient",
        ...chain(
          egress,
          "ip6 daddr fd00::/8 meta l4proto gre drop",
          "ip daddr @members4_sg-b goto to_recipient",
          "ip6 daddr @members6_sg-b goto to_recipient",
          everything,
        ),
        ...chain(
          ingress,
          "ip saddr 10.0.0.0/8 tcp dport { 80, 8000-8999 } accept",
          "ip saddr @members4_sg-b udp dport { 53 } drop",
          "ip6 saddr @members6_sg-b udp dport { 53 } drop",
          "meta l4proto ipv6-icmp accept",
          ...inside,
          "drop",
        ),
      ],
    ],
  ];
  test.each(cases)("%s", (_, declared, commands) => {
    expect(groupDefinition("t", ["sg-a"], declared === undefined ? new Map() : byId(declared))).toEqual(commands);
  });

  test("a list's chains don't depend on its order, and no two lists share them", () => {
    const ids = fc.uniqueArray(fc.constantFrom("sg-a", "sg-b", "sg-c", "sg-d", "sg-e"), { maxLength: 5 });
    fc.assert(
      fc.property(ids, ids, (left, right) => {
        expect(groupChains(left)).toEqual(groupChains(left.toReversed()));
        const same = left.toSorted().join() === right.toSorted().join();
        expect(groupChains(left).egress === groupChains(right).egress).toBe(same);
      }),
    );
  });

  test("of any rules, an earlier one never has a higher number, nor accepts before one of its number that drops", () => {
    const rules = fc.array(
      fc.record({
        priority: fc.integer({ min: 1, max: 100 }),
        policy: fc.constantFrom("accept" as const, "drop" as const),
      }),
    );
    fc.assert(
      fc.property(fc.array(rules, { maxLength: 5 }), (lists) => {
        const ordered = orderedRules(lists.map((list, index) => group(`sg-${index}`, { rules: list.map(rule) })));
        expect(ordered).toHaveLength(lists.flat().length);
        for (const [index, next] of ordered.slice(1).entries()) {
          const before = ordered[index];
          expect(before?.priority).toBeLessThanOrEqual(next.priority);
          if (before?.priority === next.priority) expect([before.policy, next.policy]).not.toEqual(["accept", "drop"]);
        }
      }),
    );
  });
});

describe("groupsOfVpc()", () => {
  test("a manifest stands in place of the configured group of its id, others come after; a VPC without any has one of its own", () => {
    const config = { securityGroups: [group("sg-z"), group("sg-b"), group("sg-x", { vpcId: "vpc-b" })] };
    const manifests = { securityGroups: [group("sg-a"), group("sg-b", { intranet: "drop" })] };
    expect([...groupsOfVpc(config, manifests, "vpc-a").values()]).toEqual([
      group("sg-z"),
      group("sg-b", { intranet: "drop" }),
      group("sg-a"),
    ]);
    expect([...groupsOfVpc(config, manifests, "vpc-c").values()]).toEqual([group("sg-c", { vpcId: "vpc-c" })]);
  });
});

describe("planGroupChoice()", () => {
  const config = parseNetworkConfig({
    vpcs: ["vpc-a", "vpc-b"].map((id) => ({ id, cidr: "10.0.0.0/16", ipv6Cidr: "", natGateway: false })),
    vswitches: [{ id: "vsw-a", vpc: "vpc-a", zone: "z", cidr: "10.0.0.0/24", ipv6Cidr: "" }],
    securityGroups: [
      ...["sg-1", "sg-2", "sg-3", "sg-4", "sg-5", "sg-6"].map((id) => group(id)),
      group("sg-firm", { type: "enterprise" }),
      group("sg-far", { vpcId: "vpc-b" }),
    ],
  });
  const pod = { namespace: "ns", name: "pod", labels: { app: "shop" }, annotations: {} };
  const choose = (annotations: Record<string, string>, manifests: NodeManifests = noManifests, vpcId = "vpc-a") =>
    planGroupChoice({ ...pod, annotations }, vpcId, { config, manifests });
  const networking = {
    name: "pn",
    podSelector: { matchLabels: { app: "shop" }, matchExpressions: [] },
    namespaceSelector: undefined,
    vSwitchOptions: [],
    vSwitchSelectionPolicy: "ordered" as const,
    securityGroupIDs: ["sg-2", "sg-3"],
  };
  const profile = { ...emptyEciProfile, securityGroupId: "sg-4" };

  test("the annotation goes before a PodNetworking, that before the eci-profile, that before the VPC's default", () => {
    const all = { ...noManifests, podNetworkings: [networking], eciProfile: profile };
    expect(choose({ [annotation]: "sg-5, sg-1,sg-5" }, all)).toEqual({ ids: ["sg-5", "sg-1"], source: "annotation" });
    expect(choose({}, all)).toEqual({ ids: ["sg-2", "sg-3"], source: "PodNetworking" });
    expect(choose({}, { ...noManifests, eciProfile: profile })).toEqual({ ids: ["sg-4"], source: "eci-profile" });
    expect(choose({}, { ...noManifests, eciProfile: profile }, "vpc-b")).toEqual({ ids: ["sg-far"], source: "VPC" });
    expect(choose({})).toEqual({ ids: ["sg-1"], source: "VPC" });
  });

  test.each([
    ["sg-1,sg-2,sg-3,sg-4,sg-5,sg-6", "must be at most 5 security groups"],
    ["sg-1,sg-gone", '"sg-gone" is none'],
    ["sg-far", 'must be security groups of VPC "vpc-a"'],
    ["sg-1,sg-firm", 'must be security groups of one type: "sg-1" is basic, "sg-firm" is enterprise'],
    ["sg-1,", '"" is none'],
  ])("refuses %s", (asked, words) => {
    expect(() => choose({ [annotation]: asked })).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(words) }),
    );
  });

  test("an operator's groups that can't be used are an error, not a pod without them", () => {
    const gone = { ...networking, securityGroupIDs: ["sg-gone"] };
    for (const manifests of [
      { ...noManifests, podNetworkings: [gone] },
      { ...noManifests, eciProfile: { ...emptyEciProfile, securityGroupId: "sg-gone" } },
    ]) {
      expect(() => choose({}, manifests)).toThrow(expect.objectContaining({ code: "FailedPrecondition" }));
    }
  });
});

describe("a SecurityGroup's manifest", () => {
  const manifest = (spec: string, name = "sg-web") =>
    readNodeManifests(
      parseManifests(
        "f.yaml",
        `apiVersion: podling.dev/v1\nkind: SecurityGroup\nmetadata: {name: ${name}}\nspec: ${spec}\n`,
      ),
    ).securityGroups;

  test("says the same as the configuration's table", () => {
    expect(
      manifest(
        '{vpc: vpc-a, rules: [{direction: ingress, protocol: tcp, ports: "443", source: 10.1.2.3, priority: 7}]}',
      ),
    ).toEqual([
      group("sg-web", {
        rules: [
          rule({
            protocol: "tcp",
            ports: [{ first: 443, last: 443 }],
            peer: { family: 4, cidr: "10.1.2.3/32" },
            priority: 7,
          }),
        ],
      }),
    ]);
  });

  test.each([
    ["{}", /f.yaml:4: .*spec.vpc/],
    ["{vpc: v, rules: [{direction: sideways}]}", /rules\[0\].direction: must be "ingress" or "egress"/],
    [
      "{vpc: v, rules: [{direction: ingress, destination: 10.0.0.0/8}]}",
      /destination: must be left out of an ingress rule/,
    ],
    ["{vpc: v, rules: [{direction: egress, source: 10.0.0.0/8}]}", /source: must be left out of an egress rule/],
    ["{vpc: v, rules: [{direction: ingress, source: 10.0.0.1/8}]}", /source: must be a range/],
    ["{vpc: v, rules: [{direction: ingress, source: 10.0.0.0/33}]}", /source: must be a range/],
    ['{vpc: v, rules: [{direction: ingress, source: "10.0.0.0/8; drop"}]}', /source: must be a range/],
    ['{vpc: v, rules: [{direction: ingress, protocol: tcp, ports: "0"}]}', /ports: must be at most 50 ports/],
    ['{vpc: v, rules: [{direction: ingress, protocol: tcp, ports: "9-8"}]}', /ports: must be at most 50 ports/],
    ["{vpc: v, rules: [{direction: ingress, protocol: icmpv6, source: 10.0.0.0/8}]}", /family of "icmpv6"/],
    ["{vpc: v, rules: [{direction: ingress, protocol: icmp, source: fd00::/8}]}", /family of "icmp"/],
    ["{vpc: v, rules: [{direction: ingress, priority: 101}]}", /priority: must be 1 to 100/],
    ["{vpc: v, type: enterprise, rules: [{direction: ingress, source: sg-x}]}", /can't name groups/],
    ["{vpc: v, colour: red}", /colour: no field of that name/],
  ])("with the spec %s is refused with its place", (spec, words) => {
    expect(() => manifest(spec)).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringMatching(words) }),
    );
  });

  test("whose name is no id is refused", () => expect(() => manifest("{vpc: v}", "Sg_1")).toThrow(/metadata.name/));
});
