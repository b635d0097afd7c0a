import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIp } from "../../src/common/ip-address.ts";
import {
  type Cidr,
  cidrAddress,
  cidrContains,
  cidrOffset,
  cidrOverlaps,
  cidrSize,
  formatCidr,
  parseCidr,
} from "../../src/network/cidr.ts";
import { planRangeLayout } from "../../src/network/plan-vswitch-layout.ts";

const anyCidr: fc.Arbitrary<Cidr> = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    bits: fc.bigInt(0n, (1n << 128n) - 1n),
    length: fc.nat(128),
  })
  .map(({ family, bits, length }) => {
    const width = family === 4 ? 32 : 128;
    const prefixLength = length % (width + 1);
    const size = 1n << BigInt(width - prefixLength);
    return { family, prefixLength, first: BigInt.asUintN(width, bits) & ~(size - 1n) };
  });

describe("CIDR ranges", () => {
  test("what is formatted is read back", () => {
    fc.assert(fc.property(anyCidr, (cidr) => void expect(parseCidr("cidr", formatCidr(cidr))).toEqual(cidr)));
  });

  test("an address is at its offset, and outside at none", () => {
    fc.assert(
      fc.property(anyCidr, fc.bigInt(0n, (1n << 128n) - 1n), (cidr, number) => {
        const offset = number % cidrSize(cidr);
        const address = cidrAddress(cidr, offset);
        expect(cidrOffset(cidr, address)).toBe(offset);
        expect(cidrOffset(cidr, { ...address, value: cidr.first - 1n })).toBeUndefined();
        expect(cidrOffset(cidr, { ...address, value: cidr.first + cidrSize(cidr) })).toBeUndefined();
        expect(() => cidrAddress(cidr, cidrSize(cidr))).toThrow(RangeError);
      }),
    );
  });

  test("ranges overlap exactly when one has an end of the other in it", () => {
    fc.assert(
      fc.property(anyCidr, anyCidr, (left, right) => {
        const endOf = (cidr: Cidr) => cidrAddress(cidr, cidrSize(cidr) - 1n);
        const inside = (outer: Cidr, inner: Cidr) =>
          cidrOffset(outer, cidrAddress(inner, 0n)) !== undefined || cidrOffset(outer, endOf(inner)) !== undefined;
        expect(cidrOverlaps(left, right)).toBe(inside(left, right) || inside(right, left));
        expect(cidrContains(left, left)).toBe(true);
      }),
    );
  });

  test.each([
    ["10.0.0.0", "must be a range"],
    ["10.0.0.0/33", "must be a range"],
    ["10.0.0.0/08", "must be a range"],
    ["10.0.0.0/-1", "must be a range"],
    ["10.0.0.0/", "must be a range"],
    ["fd00::/129", "must be a range"],
    ["10.0.0.5/24", 'must be its first address, "10.0.0.0/24"'],
    ["fd00::1/64", 'must be its first address, "fd00::/64"'],
    ["x/8", "must be a range"],
  ])("refuses %s", (text, reason) => {
    expect(() => parseCidr("network.vpcs[0].cidr", text)).toThrow(reason);
    expect(() => parseCidr("network.vpcs[0].cidr", text)).toThrow("network.vpcs[0].cidr");
  });
});

describe("planRangeLayout()", () => {
  test.each([
    ["10.0.1.0/24", "10.0.1.253", "10.0.1.1", "10.0.1.252", 252n],
    ["10.110.12.0/25", "10.110.12.125", "10.110.12.1", "10.110.12.124", 124n],
    ["192.168.0.16/28", "192.168.0.29", "192.168.0.17", "192.168.0.28", 12n],
    ["fd00::/64", "fd00::ffff:ffff:ffff:fffd", "fd00::1", "fd00::ffff:ffff:ffff:fff6", 2n ** 64n - 10n],
  ])("%s: gateway third from last, ends reserved", (text, gateway, first, last, usable) => {
    const layout = planRangeLayout(parseCidr("cidr", text));
    const at = (offset: bigint) => formatIp(cidrAddress(layout.cidr, layout.firstUsable + offset));
    expect([layout.gateway, at(0n), at(layout.usable - 1n), layout.usable]).toEqual([gateway, first, last, usable]);
  });
});
