import { describe, expect, test } from "vitest";
import { formatCidr } from "../../src/network/cidr.ts";
import { type NetworkSettings, parseNetworkConfig } from "../../src/network/vpc-config.ts";

const vpc = { id: "vpc-a", cidr: "10.0.0.0/16", ipv6Cidr: "fd00:1::/56", natGateway: true };
const vswitch = { id: "vsw-a", vpc: "vpc-a", zone: "z", cidr: "10.0.0.0/20", ipv6Cidr: "fd00:1::/64" };
const second = { ...vswitch, id: "vsw-b", cidr: "10.0.16.0/20", ipv6Cidr: "fd00:1:0:1::/64" };
const good: NetworkSettings = { vpcs: [vpc], vswitches: [vswitch, second] };

describe("parseNetworkConfig()", () => {
  test("reads ranges and keeps the order", () => {
    const config = parseNetworkConfig(good);
    expect(config.vswitches.map(({ id, cidr }) => [id, formatCidr(cidr)])).toEqual([
      ["vsw-a", "10.0.0.0/20"],
      ["vsw-b", "10.0.16.0/20"],
    ]);
    expect(config.vpcs[0]?.natGateway).toBe(true);
  });

  test("takes the same ranges in two VPCs", () => {
    const other = { ...vpc, id: "vpc-b" };
    const same = { ...vswitch, id: "vsw-c", vpc: "vpc-b" };
    expect(parseNetworkConfig({ vpcs: [vpc, other], vswitches: [vswitch, same] }).vpcs).toHaveLength(2);
  });

  test("a NAT gateway without entries translates the whole VPC; with them what they name, smaller ranges first", () => {
    const entries = (change: object) =>
      parseNetworkConfig({
        ...good,
        eips: [{ id: "eip-n", address: "203.0.113.9", bandwidth: 5 }],
        vpcs: [{ ...vpc, ...change }],
      }).vpcs[0]?.snatEntries.map(({ source, address }) => [formatCidr(source), address]);
    expect(entries({})).toEqual([["10.0.0.0/16", undefined]]);
    expect(entries({ natGateway: false })).toEqual([]);
    expect(
      entries({
        snatEntries: [
          { source: "vsw-b", eip: "" },
          { source: "10.0.3.0/24", eip: "eip-n" },
        ],
      }),
    ).toEqual([
      ["10.0.3.0/24", "203.0.113.9"],
      ["10.0.16.0/20", undefined],
    ]);
  });

  const eip = { id: "eip-n", address: "203.0.113.9", bandwidth: 5 };
  const nat = (source: string, id: string) => ({ ...vpc, snatEntries: [{ source, eip: id }] });
  const refused: readonly (readonly [string, NetworkSettings, string])[] = [
    ["an SNAT entry outside its VPC", { ...good, vpcs: [nat("10.1.0.0/24", "")] }, "vpcs[0].snat_entries[0].source"],
    ["an SNAT entry of an unknown EIP", { ...good, vpcs: [nat("vsw-a", "eip-x")] }, "vpcs[0].snat_entries[0].eip"],
    [
      "SNAT entries without a NAT gateway",
      { ...good, vpcs: [{ ...nat("vsw-a", ""), natGateway: false }] },
      "snat_entries",
    ],
    [
      "an EIP of two NAT gateways",
      { ...good, eips: [eip], vpcs: [nat("10.0.0.0/24", "eip-n"), { ...nat("10.0.0.0/24", "eip-n"), id: "vpc-b" }] },
      "an EIP of one VPC",
    ],
    ["two EIPs of one address", { ...good, eips: [eip, { ...eip, id: "eip-m" }] }, "network.eips[1].address"],
    ["an EIP inside a VPC", { ...good, eips: [{ ...eip, address: "10.0.200.1" }] }, "network.eips[0].address"],
    [
      "a pool inside a VPC",
      { ...good, eipPools: [{ id: "p", cidr: "10.0.200.0/24", isp: "BGP" }] },
      'outside 10.0.0.0/16 of VPC "vpc-a"',
    ],
    ["an IPv6 EIP", { ...good, eips: [{ ...eip, address: "2001:db8::1" }] }, "network.eips[0].address"],
    [
      "a pool too large",
      { ...good, eipPools: [{ id: "p", cidr: "203.0.0.0/8", isp: "BGP" }] },
      "network.eip_pools[0].cidr",
    ],
    [
      "a security group of an unknown VPC",
      { ...good, securityGroups: [{ id: "sg", vpcId: "x", type: "basic", intranet: "accept", rules: [] }] },
      "network.security_groups[0].vpc",
    ],
    ["no VPC", { vpcs: [], vswitches: [] }, "network.vpcs"],
    ["no vSwitch", { vpcs: [vpc], vswitches: [] }, "network.vswitches"],
    ["a twin VPC", { ...good, vpcs: [vpc, vpc] }, "network.vpcs[1].id"],
    ["a twin vSwitch", { ...good, vswitches: [vswitch, { ...second, id: "vsw-a" }] }, "network.vswitches[1].id"],
    ["an id with a slash", { ...good, vpcs: [{ ...vpc, id: "../a" }] }, "network.vpcs[0].id"],
    ["an IPv6 range for cidr", { ...good, vpcs: [{ ...vpc, cidr: "fd00::/56" }] }, "network.vpcs[0].cidr"],
    ["a vSwitch of an unknown VPC", { ...good, vswitches: [{ ...vswitch, vpc: "x" }] }, "network.vswitches[0].vpc"],
    ["a vSwitch outside its VPC", { ...good, vswitches: [{ ...vswitch, cidr: "10.1.0.0/20" }] }, "vswitches[0].cidr"],
    ["a vSwitch of /29", { ...good, vswitches: [{ ...vswitch, cidr: "10.0.0.0/29" }] }, "between /16 and /28"],
    ["a vSwitch of IPv6 /80", { ...good, vswitches: [{ ...vswitch, ipv6Cidr: "fd00:1::/80" }] }, "must be a /64"],
    [
      "overlapping vSwitches",
      { ...good, vswitches: [vswitch, { ...second, cidr: "10.0.8.0/24" }] },
      "vswitches[1].cidr",
    ],
    ["IPv6 overlap", { ...good, vswitches: [vswitch, { ...second, ipv6Cidr: "fd00:1::/64" }] }, "[1].ipv6_cidr"],
    ["IPv6 without a range of the VPC", { ...good, vpcs: [{ ...vpc, ipv6Cidr: "" }] }, "vswitches[0].ipv6_cidr"],
    ["carrier-grade space", { ...good, vpcs: [{ ...vpc, cidr: "100.64.0.0/16" }] }, "the cloud's own services"],
    ["multicast", { ...good, vpcs: [{ ...vpc, cidr: "224.0.0.0/16" }] }, "multicast"],
    ["loopback", { ...good, vpcs: [{ ...vpc, cidr: "127.0.0.0/16" }] }, "loopback"],
    ["link-local", { ...good, vpcs: [{ ...vpc, cidr: "169.254.0.0/16" }] }, "link-local"],
    ["bits after the prefix", { ...good, vpcs: [{ ...vpc, cidr: "10.0.0.1/16" }] }, "first address"],
  ];
  test.each(refused)("refuses %s, naming the field", (_, settings, words) => {
    expect(() => parseNetworkConfig(settings)).toThrow(words);
  });
});
