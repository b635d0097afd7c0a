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

  const refused: readonly (readonly [string, NetworkSettings, string])[] = [
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
