import { describe, expect, test } from "vitest";
import { checkGivenAddresses, planCapabilityArgs } from "../../../src/network/cni/capability-args.ts";
import type { AttachRequest } from "../../../src/network/network-provider.ts";

const request = (change: Partial<AttachRequest>): AttachRequest => ({
  sandboxId: "s",
  netnsPath: "/n",
  namespace: "ns",
  name: "p",
  labels: {},
  annotations: {},
  ...change,
});
const all = ["portMappings", "bandwidth", "dns", "ips", "mac", "io.kubernetes.cri.pod-annotations"];
const network = (capabilities: readonly string[]) => ({
  name: "net",
  plugins: [
    { type: "a", capabilities: [], config: {} },
    { type: "b", capabilities, config: {} },
  ],
});
const plan = (change: Partial<AttachRequest>, capabilities: readonly string[] = all) =>
  planCapabilityArgs(request(change), network(capabilities));

describe("planCapabilityArgs()", () => {
  test("gives each capability what the pod asks for", () => {
    const annotations = {
      "kubernetes.io/ingress-bandwidth": "40M",
      "kubernetes.io/egress-bandwidth": "100k",
      "podling.dev/ip-addresses": "10.0.0.7, FD00:0::7",
      "podling.dev/mac-address": "02:00:5E:10:00:01",
    };
    const dns = { servers: ["10.0.0.2"], searches: ["svc"], options: ["ndots:5"] };
    const port = { protocol: "udp", hostPort: 5353, containerPort: 53 } as const;
    const hostPorts = [
      { ...port, hostIp: "" },
      { ...port, hostIp: "127.0.0.1" },
    ];
    expect(plan({ annotations, dns, hostPorts })).toEqual({
      portMappings: [port, { ...port, hostIP: "127.0.0.1" }],
      bandwidth: { ingressRate: 40_000_000, ingressBurst: 4_000_000, egressRate: 100_000, egressBurst: 1_048_576 },
      dns,
      ips: ["10.0.0.7", "fd00::7"],
      mac: "02:00:5e:10:00:01",
      "io.kubernetes.cri.pod-annotations": annotations,
    });
  });

  test("gives only what was asked for, and only what some plugin takes", () => {
    expect(plan({})).toEqual({ "io.kubernetes.cri.pod-annotations": {} });
    expect(plan({ dns: { servers: [], searches: [], options: [] } }, ["mac"])).toEqual({});
    expect(plan({ annotations: { "kubernetes.io/ingress-bandwidth": "1G" } }, ["bandwidth"])).toEqual({
      bandwidth: { ingressRate: 1e9, ingressBurst: 1e8 },
    });
    expect(plan({ annotations: { "k8s.aliyun.com/eci-private-ip-address": "10.0.0.7" } }, ["ips"])).toEqual({
      ips: ["10.0.0.7"],
    });
  });

  test.each([
    [{ hostPorts: [{ protocol: "tcp", hostPort: 1, containerPort: 1, hostIp: "" }] }, "portMappings"],
    [{ annotations: { "kubernetes.io/egress-bandwidth": "1M" } }, "bandwidth"],
    [{ annotations: { "podling.dev/ip-addresses": "10.0.0.7" } }, "ips"],
    [{ annotations: { "podling.dev/mac-address": "02:00:5e:10:00:01" } }, "mac"],
  ] as const)("refuses what no plugin takes: %j", (change, capability) => {
    expect(() => plan(change, ["dns"])).toThrow(
      expect.objectContaining({
        code: "FailedPrecondition",
        message: expect.stringContaining(`no plugin of CNI network "net" declares the capability "${capability}"`),
      }),
    );
  });

  test.each([
    ["podling.dev/ip-addresses", "10.0.0.7,nobody"],
    ["podling.dev/ip-addresses", "10.0.0.1/24"],
    ["podling.dev/ip-addresses", Array.from({ length: 9 }, (_, index) => `10.0.0.${index}`).join(",")],
    ["k8s.aliyun.com/eci-private-ip-address", "fd00::1"],
    ["podling.dev/mac-address", "03:00:00:00:00:01"],
    ["podling.dev/mac-address", "02-00-00-00-00-01"],
    ["podling.dev/mac-address", "00:00:00:00:00:00"],
    ["kubernetes.io/ingress-bandwidth", "fast"],
    ["kubernetes.io/egress-bandwidth", "10"],
    ["k8s.aliyun.com/eci-vswitch", "vsw-1"],
    ["k8s.aliyun.com/eci-security-group", "sg-1"],
    ["k8s.aliyun.com/eci-fixed-ip", "true"],
    ["k8s.aliyun.com/eci-with-eip", "true"],
    ["k8s.aliyun.com/eci-eip-instanceid", "eip-1"],
    ["k8s.aliyun.com/eci-ipv6-bandwidth-enable", "true"],
  ])("refuses annotation %s: %s", (annotation, value) => {
    expect(() => plan({ annotations: { [annotation]: value } })).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(annotation) }),
    );
  });

  test("refuses two annotations that say an address", () => {
    const annotations = { "podling.dev/ip-addresses": "10.0.0.7", "k8s.aliyun.com/eci-private-ip-address": "10.0.0.7" };
    expect(() => plan({ annotations })).toThrow(
      /must be left out where k8s.aliyun.com\/eci-private-ip-address is given/,
    );
  });
});

describe("checkGivenAddresses()", () => {
  const given = { interfaceName: "eth0", mac: "", ipv4: "10.0.0.7", ipv6: undefined, moreAddresses: ["10.0.0.8"] };

  test.each([
    {},
    { "podling.dev/ip-addresses": "10.0.0.8, 10.0.0.7" },
    { "k8s.aliyun.com/eci-private-ip-address": "10.0.0.7" },
    { "k8s.aliyun.com/eci-enable-ipv6": "false" },
  ])("is content with what was asked for: %j", (annotations) => {
    checkGivenAddresses(annotations, "net", given);
  });

  test.each([
    [{ "podling.dev/ip-addresses": "10.0.0.7,10.0.0.9" }, "10.0.0.9"],
    [{ "k8s.aliyun.com/eci-enable-ipv6": "true" }, "an IPv6 address"],
  ])("misses what was not given: %j", (annotations, missed) => {
    expect(() => checkGivenAddresses(annotations, "net", given)).toThrow(
      expect.objectContaining({
        code: "FailedPrecondition",
        message: `CNI network "net" gave a pod 10.0.0.7, 10.0.0.8, and not ${missed}`,
      }),
    );
  });
});
