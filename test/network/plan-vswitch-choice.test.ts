import { describe, expect, test } from "vitest";
import { parseManifests } from "../../src/manifests/manifest.ts";
import { readNodeManifests } from "../../src/manifests/node-manifests.ts";
import { type ChoosingPod, planVswitchChoice } from "../../src/network/plan-vswitch-choice.ts";
import { parseNetworkConfig } from "../../src/network/vpc-config.ts";

const config = parseNetworkConfig({
  vpcs: [
    { id: "vpc-a", cidr: "10.0.0.0/16", ipv6Cidr: "fd00:1::/56", natGateway: true },
    { id: "vpc-b", cidr: "10.0.0.0/16", ipv6Cidr: "", natGateway: true },
  ],
  vswitches: [
    { id: "vsw-a", vpc: "vpc-a", zone: "z", cidr: "10.0.0.0/20", ipv6Cidr: "fd00:1::/64" },
    { id: "vsw-b", vpc: "vpc-a", zone: "z", cidr: "10.0.16.0/24", ipv6Cidr: "" },
    { id: "vsw-c", vpc: "vpc-a", zone: "z", cidr: "10.0.17.0/24", ipv6Cidr: "fd00:1:0:1::/64" },
    { id: "vsw-other", vpc: "vpc-b", zone: "z", cidr: "10.0.0.0/20", ipv6Cidr: "" },
  ],
});

const networking = (name: string, spec: object, status?: object) =>
  JSON.stringify({
    apiVersion: "network.alibabacloud.com/v1beta1",
    kind: "PodNetworking",
    metadata: { name },
    spec,
    status,
  });
const profile = (data: Readonly<Record<string, string>>) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "eci-profile", namespace: "kube-system" },
    data,
  });
const namespace = (name: string, labels: object) =>
  JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });

const shop = { podSelector: { matchLabels: { app: "shop" } } };
const key = "k8s.aliyun.com/eci-vswitch";
const strategy = "k8s.aliyun.com/eci-schedule-strategy";
const ipv6 = "k8s.aliyun.com/eci-enable-ipv6";
const pod: ChoosingPod = { namespace: "ns", name: "pod", labels: { app: "shop" }, annotations: {} };

/** Turning the list round is a shuffle that can be foretold. */
function choose(manifests: readonly string[], changes: Partial<ChoosingPod> = {}) {
  return planVswitchChoice(
    { ...pod, ...changes },
    {
      config,
      manifests: readNodeManifests(manifests.flatMap((text, index) => parseManifests(`${index}.yaml`, text))),
      free: new Map([
        ["vsw-a", 10],
        ["vsw-b", 200],
        ["vsw-c", 50],
      ]),
      shuffle: (ids) => ids.toReversed(),
    },
  );
}

const nothing = { losers: [], notes: [], sourceName: "", ipv6: "where there is a range" };

interface Golden {
  readonly manifests?: readonly string[];
  readonly pod?: Partial<ChoosingPod>;
  readonly choice: object;
}

const golden: Readonly<Record<string, Golden>> = {
  "without a word: all of the first VPC, in order": {
    choice: { ...nothing, source: "configuration", order: "ordered", candidates: ["vsw-a", "vsw-b", "vsw-c"] },
  },
  "an annotation spreads at random": {
    pod: { annotations: { [key]: "vsw-a, vsw-b,vsw-a" } },
    choice: { ...nothing, source: "annotation", order: "random", candidates: ["vsw-b", "vsw-a"] },
  },
  "an annotation with VSwitchOrdered keeps its order": {
    pod: { annotations: { [key]: "vsw-c,vsw-a", [strategy]: "VSwitchOrdered" } },
    choice: { ...nothing, source: "annotation", order: "ordered", candidates: ["vsw-c", "vsw-a"] },
  },
  "an empty annotation is none": {
    pod: { annotations: { [key]: " ", [strategy]: "VSwitchRandom" } },
    choice: { ...nothing, source: "configuration", order: "random", candidates: ["vsw-c", "vsw-b", "vsw-a"] },
  },
  "a PodNetworking goes before the profile, in its order by default": {
    manifests: [
      networking("pn", { selector: shop, vSwitchOptions: ["vsw-c", "vsw-a"] }),
      profile({ vSwitchIds: "vsw-b" }),
    ],
    choice: { ...nothing, source: "PodNetworking", sourceName: "pn", order: "ordered", candidates: ["vsw-c", "vsw-a"] },
  },
  "most takes the vSwitch with the most addresses left first": {
    manifests: [
      networking("pn", {
        selector: shop,
        vSwitchOptions: ["vsw-a", "vsw-b", "vsw-c"],
        vSwitchSelectOptions: { vSwitchSelectionPolicy: "most" },
      }),
    ],
    choice: {
      ...nothing,
      source: "PodNetworking",
      sourceName: "pn",
      order: "most",
      candidates: ["vsw-b", "vsw-c", "vsw-a"],
    },
  },
  "an annotation goes before a PodNetworking, which is named": {
    manifests: [networking("pn", { selector: shop, vSwitchOptions: ["vsw-c"] })],
    pod: { annotations: { [key]: "vsw-a" } },
    choice: {
      ...nothing,
      source: "annotation",
      order: "random",
      candidates: ["vsw-a"],
      notes: ['PodNetworking "pn" selects the pod, but its annotation goes first'],
    },
  },
  "of two PodNetworkings the first by name": {
    manifests: [
      networking("z", { selector: shop, vSwitchOptions: ["vsw-c"] }),
      networking("a", {
        selector: { namespaceSelector: { matchLabels: { tier: "front" } } },
        vSwitchOptions: ["vsw-b"],
      }),
      namespace("ns", { tier: "front" }),
    ],
    choice: {
      ...nothing,
      source: "PodNetworking",
      sourceName: "a",
      order: "ordered",
      candidates: ["vsw-b"],
      notes: ['PodNetworking "z" selects the pod too, but comes later by name'],
    },
  },
  "both selectors must match; one without selectors, or not Ready, never does": {
    manifests: [
      networking("both", {
        selector: { ...shop, namespaceSelector: { matchLabels: { tier: "back" } } },
        vSwitchOptions: ["vsw-b"],
      }),
      networking("neither", { vSwitchOptions: ["vsw-b"] }),
      networking("failed", { selector: shop, vSwitchOptions: ["vsw-b"] }, { status: "Fail" }),
      profile({ vSwitchIds: " vsw-c , vsw-a" }),
    ],
    choice: { ...nothing, source: "eci-profile", order: "random", candidates: ["vsw-a", "vsw-c"] },
  },
  "a namespace has its name as a label": {
    manifests: [
      networking("pn", {
        selector: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ns" } } },
        vSwitchOptions: ["vsw-b"],
      }),
    ],
    choice: { ...nothing, source: "PodNetworking", sourceName: "pn", order: "ordered", candidates: ["vsw-b"] },
  },
  expressions: {
    manifests: [
      networking("pn", {
        selector: {
          podSelector: {
            matchExpressions: [
              { key: "app", operator: "In", values: ["shop", "web"] },
              { key: "canary", operator: "DoesNotExist" },
              { key: "tier", operator: "NotIn", values: ["db"] },
            ],
          },
        },
        vSwitchOptions: ["vsw-b"],
      }),
    ],
    choice: { ...nothing, source: "PodNetworking", sourceName: "pn", order: "ordered", candidates: ["vsw-b"] },
  },
  "what an operator names and nobody can use is left out, and said": {
    manifests: [networking("pn", { selector: shop, vSwitchOptions: ["vsw-x", "vsw-b", "vsw-c", "vsw-other"] })],
    pod: { annotations: { [ipv6]: "true" } },
    choice: {
      ...nothing,
      source: "PodNetworking",
      sourceName: "pn",
      order: "ordered",
      candidates: ["vsw-c"],
      ipv6: "required",
      losers: [
        { vswitchId: "vsw-x", reason: "is not configured" },
        { vswitchId: "vsw-b", reason: "has no IPv6 range, which k8s.aliyun.com/eci-enable-ipv6 asks for" },
        { vswitchId: "vsw-other", reason: 'is of VPC "vpc-b", "vsw-c" is of "vpc-a"' },
      ],
    },
  },
  "a profile's selector gives a pod the annotation, unless it has its own": {
    manifests: [
      profile({
        selectors: JSON.stringify([
          {
            name: "one",
            objectSelector: { matchLabels: { app: "shop" } },
            effect: { annotations: { [key]: "vsw-b" } },
          },
          { name: "two", effect: { annotations: { [key]: "vsw-c", [strategy]: "VSwitchOrdered", [ipv6]: "false" } } },
        ]),
      }),
    ],
    choice: { ...nothing, source: "annotation", order: "ordered", candidates: ["vsw-b"], ipv6: "refused" },
  },
};

describe("planVswitchChoice()", () => {
  test.each(Object.entries(golden))("%s", (_, { manifests = [], pod: changes = {}, choice }) => {
    expect(choose(manifests, changes)).toEqual(choice);
  });

  test.each([
    [{ [key]: "vsw-x" }, "configured vSwitches (vsw-a, vsw-b, vsw-c, vsw-other)"],
    [{ [key]: "vsw-a,vsw-other" }, "vSwitches of one VPC"],
    [{ [key]: Array.from({ length: 11 }, (_, index) => `vsw-${index}`).join() }, "at most 10 vSwitches"],
    [{ [strategy]: "Random" }, '"VSwitchOrdered" or "VSwitchRandom"'],
    [{ [ipv6]: "yes" }, '"true" or "false"'],
  ])("refuses %j", (annotations, words) => {
    expect(() => choose([], { annotations })).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(words) }),
    );
  });

  test("says of each vSwitch why none can be used", () => {
    const manifests = [networking("pn", { selector: shop, vSwitchOptions: ["vsw-x", "vsw-b"] })];
    expect(() => choose(manifests, { annotations: { [ipv6]: "true" } })).toThrow(
      'No vSwitch that PodNetworking "pn" names can be used: "vsw-x" is not configured; "vsw-b" has no IPv6 range, ' +
        "which k8s.aliyun.com/eci-enable-ipv6 asks for",
    );
  });
});
