import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIp } from "../../src/common/ip-address.ts";
import { cidrOffset, parseCidr } from "../../src/network/cidr.ts";
import { freePoolAddress } from "../../src/network/eip.ts";
import type { EniRecord } from "../../src/network/eni-record.ts";
import { type InternetFacts, planInternet } from "../../src/network/plan-internet.ts";
import { planShaping } from "../../src/network/plan-shaping.ts";
import { routerSpec, vpcRecord } from "../../src/network/vpc-router-spec.ts";
import type { BpfInstruction } from "../../src/system/kernel-command.ts";

const key = (name: string) => `k8s.aliyun.com/${name}`;
const pool = { id: "pippool-a", cidr: parseCidr("pool", "203.0.113.0/30"), isp: "BGP" as const };
const fixed = { id: "eip-web", address: "203.0.113.200", bandwidthMbps: 100 };

function holder(name: string, address: string): InternetFacts["enis"][number] {
  const eip = { id: "eip-h", address, bandwidthMbps: 5, created: true };
  return { namespace: "ns", name, network: { eip } as EniRecord["network"] };
}

const facts: InternetFacts = {
  eips: [fixed],
  pools: [pool, { ...pool, id: "pippool-pro", cidr: parseCidr("pool", "203.0.113.16/30"), isp: "BGP_PRO" }],
  natAddresses: new Set(),
  enis: [],
  newEipId: () => "eip-new",
  hostForwardsIpv6: true,
  pick: () => 0,
};

describe("planInternet()", () => {
  test("without annotations a pod has no way of its own, and no limits", () => {
    expect(planInternet({}, facts)).toEqual({ eip: undefined, ipv6: false, limits: {} });
  });

  test.each([
    [
      { [key("eci-eip-instanceid")]: "eip-web" },
      { eip: { ...fixed, created: false }, limits: { internet4: 100_000_000 } },
    ],
    [
      { [key("eci-with-eip")]: "true" },
      {
        eip: { id: "eip-new", address: "203.0.113.0", bandwidthMbps: 5, created: true },
        limits: { internet4: 5_000_000 },
      },
    ],
    [
      {
        [key("eci-with-eip")]: "true",
        [key("eip-isp")]: "BGP_PRO",
        [key("eip-bandwidth")]: "20",
        [key("eip-internet-charge-type")]: "PayByTraffic",
      },
      { eip: { address: "203.0.113.16", bandwidthMbps: 20 }, limits: { internet4: 20_000_000 } },
    ],
    [
      { [key("eci-with-eip")]: "true", [key("eip-public-ip-address-pool-id")]: "pippool-pro" },
      { eip: { address: "203.0.113.16" } },
    ],
    [
      { [key("eci-ipv6-bandwidth-enable")]: "true", [key("eci-ipv6-bandwidth")]: "100M" },
      { ipv6: true, limits: { internet6: 100_000_000 } },
    ],
    [{ [key("eci-ipv6-bandwidth")]: "100M" }, { ipv6: false, limits: {} }],
    [
      { "kubernetes.io/ingress-bandwidth": "40M", "kubernetes.io/egress-bandwidth": "20M" },
      { limits: { ingress: 40_000_000, egress: 20_000_000 } },
    ],
  ])("reads %j", (annotations, choice) => {
    expect(planInternet(annotations as Record<string, string>, facts)).toMatchObject(choice);
  });

  test.each([
    [{ [key("eci-eip-instanceid")]: "eip-none" }, {}, "InvalidArgument", "must be an EIP of network.eips: eip-web"],
    [{ [key("eci-eip-instanceid")]: "eip-web", [key("eci-with-eip")]: "true" }, {}, "InvalidArgument", "eci-with-eip"],
    [
      { [key("eci-eip-instanceid")]: "eip-web" },
      { enis: [holder("web", fixed.address)] },
      "FailedPrecondition",
      'in use by pod "ns/web"',
    ],
    [
      { [key("eci-eip-instanceid")]: "eip-web" },
      { natAddresses: new Set([fixed.address]) },
      "FailedPrecondition",
      "a NAT gateway",
    ],
    [{ [key("eci-with-eip")]: "yes" }, {}, "InvalidArgument", '"true" or "false"'],
    [{ [key("eci-with-eip")]: "true", [key("eip-bandwidth")]: "0" }, {}, "InvalidArgument", "1 to 10000"],
    [{ [key("eci-with-eip")]: "true", [key("eip-isp")]: "LTE" }, {}, "InvalidArgument", "eip-isp"],
    [
      { [key("eci-with-eip")]: "true", [key("eip-internet-charge-type")]: "Free" },
      {},
      "InvalidArgument",
      "PayByTraffic",
    ],
    [
      { [key("eci-with-eip")]: "true", [key("eip-common-bandwidth-package-id")]: "cbwp-1" },
      {},
      "InvalidArgument",
      "no bandwidth packages",
    ],
    [
      { [key("eci-with-eip")]: "true", [key("eip-public-ip-address-pool-id")]: "p" },
      {},
      "InvalidArgument",
      "pippool-a, pippool-pro",
    ],
    [{ [key("eci-with-eip")]: "true" }, { pools: [] }, "ResourceExhausted", "network.eip_pools has no pool"],
    [
      { [key("eci-with-eip")]: "true" },
      {
        pools: [pool],
        enis: ["203.0.113.0", "203.0.113.1", "203.0.113.2", "203.0.113.3"].map((ip) => holder("p", ip)),
      },
      "ResourceExhausted",
      "every address of 203.0.113.0/30 (pippool-a) is in use",
    ],
    [
      { [key("eci-ipv6-bandwidth-enable")]: "true", [key("eci-ipv6-bandwidth")]: "3000M" },
      {},
      "InvalidArgument",
      "1M to 2000M",
    ],
    [
      { [key("eci-ipv6-bandwidth-enable")]: "true", [key("eci-enable-ipv6")]: "false" },
      {},
      "InvalidArgument",
      "eci-enable-ipv6",
    ],
    [
      { [key("eci-ipv6-bandwidth-enable")]: "true" },
      { hostForwardsIpv6: false },
      "FailedPrecondition",
      "net.ipv6.conf.all.forwarding",
    ],
    [{ "kubernetes.io/ingress-bandwidth": "fast" }, {}, "InvalidArgument", "kubernetes.io/ingress-bandwidth"],
  ])("refuses %j", (annotations, change, code, words) => {
    expect(() => planInternet(annotations as Record<string, string>, { ...facts, ...(change as object) })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  test("freePoolAddress() gives every free address of a pool and no other", () => {
    const range = { ...pool, cidr: parseCidr("pool", "203.0.113.32/28") };
    const address = fc.integer({ min: 24, max: 56 }).map((last) => `203.0.113.${last}`);
    fc.assert(
      fc.property(fc.uniqueArray(address), (taken) => {
        const inside = taken.filter((text) => Number(text.split(".")[3]) >= 32 && Number(text.split(".")[3]) < 48);
        const left = 16 - inside.length;
        const found = Array.from({ length: left }, (_, index) => freePoolAddress(range, new Set(taken), () => index));
        expect(new Set(found).size).toBe(left);
        for (const one of found) expect(taken).not.toContain(one);
        if (left === 0) expect(freePoolAddress(range, new Set(taken), () => 0)).toBeUndefined();
      }),
    );
  });
});

describe("planShaping()", () => {
  const cidrs = { cidr: parseCidr("vpc", "10.128.16.0/20"), ipv6Cidr: parseCidr("vpc", "fd12:3456:789a:bc00::/56") };
  const vpc = { id: "vpc-a", ...cidrs, natGateway: false, snatEntries: [] };
  const record = vpcRecord(vpc, { ipv4: "169.254.7.8/30", ipv6: "fd9:8:7::/126" });
  const router = routerSpec("one", record, { reachableFromHost: true, mtu: 1500 });

  function requests(limits: object) {
    const eni = { linkName: "eniabc", network: { limits } } as EniRecord;
    return planShaping(router, "alias", eni).flatMap((command) => (command.kind === "links" ? command.requests : []));
  }

  test("an ENI without limits has no queues", () => {
    expect(planShaping(router, "alias", { linkName: "eniabc", network: {} } as EniRecord)).toEqual([]);
  });

  test("a pod's ingress is the matter of its own link, its egress of another", () => {
    expect(requests({ ingress: 8_000_000 })).toEqual([
      { kind: "addQueue", link: "eniabc", queue: { type: "htb", defaultClass: 2 } },
      {
        kind: "setClass",
        link: "eniabc",
        class: { minor: 1, parent: 0, rateBytes: 1_000_000, ceilBytes: 1_000_000, burstBytes: 65_536 },
      },
      {
        kind: "setClass",
        link: "eniabc",
        class: { minor: 2, parent: 1, rateBytes: 10_000, ceilBytes: 1_000_000, burstBytes: 65_536 },
      },
      { kind: "addQueue", link: "eniabc", queue: { type: "bfifo", class: 2, limitBytes: 131_072 } },
    ]);
    const egress = requests({ egress: 8_000_000 });
    expect(egress.slice(0, 2)).toEqual([
      { kind: "addIfb", name: "ifbabc", alias: "alias" },
      { kind: "setLink", link: "ifbabc", up: true, alias: "alias" },
    ]);
    expect(egress.at(-1)).toMatchObject({ kind: "setFilter", link: "eniabc", redirectTo: "ifbabc" });
  });

  test("the internet's share never has more than the whole, and leaves have next to nothing for themselves", () => {
    const rate = fc.option(fc.integer({ min: 1000, max: 40_000_000_000 }), { nil: undefined });
    fc.assert(
      fc.property(rate, rate, rate, rate, (ingress, egress, internet4, internet6) => {
        const limits = Object.fromEntries(
          Object.entries({ ingress, egress, internet4, internet6 }).filter(([, value]) => value !== undefined),
        );
        const classes = requests(limits).flatMap((request) => (request.kind === "setClass" ? [request] : []));
        for (const link of new Set(classes.map((one) => one.link))) {
          const [top, ...leaves] = classes.filter((one) => one.link === link).map((one) => one.class);
          for (const { rateBytes, ceilBytes, burstBytes, parent } of leaves) {
            expect(parent).toBe(top?.minor);
            expect(ceilBytes).toBeLessThanOrEqual(top?.ceilBytes ?? 0);
            expect(rateBytes).toBeGreaterThanOrEqual(1);
            expect(rateBytes).toBeLessThanOrEqual(Math.max(1, ceilBytes / 100));
            expect(burstBytes).toBeGreaterThanOrEqual(65_536);
          }
        }
      }),
    );
  });

  test("the program tells what is outside the VPC's ranges, of every address of both families", () => {
    const programs = requests({ internet4: 1_000_000, internet6: 1_000_000 }).flatMap((request) =>
      request.kind === "setFilter" && request.redirectTo === undefined ? [request.program] : [],
    );
    const [toPod = [], fromPod = []] = programs;
    const four = fc.oneof(
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.integer({ min: 0x0a80_1000 - 3, max: 0x0a80_2000 + 3 }),
    );
    fc.assert(
      fc.property(four, (value) => {
        const address = { family: 4 as const, value: BigInt(value) };
        const outside = cidrOffset(cidrs.cidr, address) === undefined;
        for (const [program, offset] of [
          [toPod, 26],
          [fromPod, 30],
        ] as const) {
          const packet = Buffer.alloc(64);
          packet.writeUInt16BE(0x0800, 12);
          packet.writeUInt32BE(value, offset);
          expect(run(program, packet), formatIp(address)).toBe(outside ? 0x1_0010 : 0);
        }
      }),
    );
    const base = cidrs.ipv6Cidr.first;
    const six = fc.oneof(
      fc.bigInt(0n, (1n << 128n) - 1n),
      fc.bigInt(base - 3n, base + 3n),
      fc.bigInt(base + (1n << 72n) - 3n, base + (1n << 72n) + 3n),
    );
    fc.assert(
      fc.property(six, (value) => {
        const outside = cidrOffset(cidrs.ipv6Cidr, { family: 6, value }) === undefined;
        for (const [program, offset] of [
          [toPod, 22],
          [fromPod, 38],
        ] as const) {
          const packet = Buffer.alloc(64);
          packet.writeUInt16BE(0x86dd, 12);
          packet.write(value.toString(16).padStart(32, "0"), offset, "hex");
          expect(run(program, packet)).toBe(outside ? 0x1_0011 : 0);
        }
      }),
    );
    const arp = Buffer.alloc(64);
    arp.writeUInt16BE(0x0806, 12);
    expect(run(toPod, arp)).toBe(0);
  });

  /** What the kernel's interpreter does with the instructions that are used here. */
  function run(program: readonly BpfInstruction[], packet: Buffer): number {
    let register = 0;
    for (let at = 0; at < program.length; at++) {
      const [code, jumpTrue, jumpFalse, value] = program[at] ?? [0, 0, 0, 0];
      if (code === 0x20) register = packet.readUInt32BE(value);
      else if (code === 0x28) register = packet.readUInt16BE(value);
      else if (code === 0x54) register = (register & value) >>> 0;
      else if (code === 0x15) at += register === value ? jumpTrue : jumpFalse;
      else if (code === 0x06) return value;
      else throw new Error(`instruction ${code}`);
    }
    throw new Error("the program has no end");
  }
});
