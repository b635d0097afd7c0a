import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIp, ipFromBytes, ipToBytes, parseIp, readIp } from "../../src/common/ip-address.ts";

const anyIp = fc.oneof(
  fc.bigInt(0n, (1n << 32n) - 1n).map((value) => ({ family: 4 as const, value })),
  fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ({ family: 6 as const, value })),
  // Runs of zero groups, which the short form is about.
  fc
    .array(fc.constantFrom(0n, 0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 })
    .map((groups) => ({ family: 6 as const, value: groups.reduce<bigint>((sum, group) => (sum << 16n) | group, 0n) })),
);

describe("IP addresses", () => {
  test("what is formatted is read back, as text and as bytes", () => {
    fc.assert(
      fc.property(anyIp, (ip) => {
        expect(readIp(formatIp(ip))).toEqual(ip);
        expect(ipFromBytes(ipToBytes(ip))).toEqual(ip);
      }),
    );
  });

  test("IPv6 text is the canonical one of URLs", () => {
    fc.assert(
      fc.property(anyIp, (ip) => {
        const text = formatIp(ip);
        if (ip.family === 6) expect(`[${text}]`).toBe(new URL(`http://[${text}]/`).hostname);
        expect(isIPv6(text)).toBe(ip.family === 6);
      }),
    );
  });

  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["1::", "1::"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ])("reads %s as %s", (text, canonical) => {
    expect(formatIp(parseIp("address", text))).toBe(canonical);
  });

  test.each([
    "",
    "10.0.0",
    "10.0.0.01",
    "0x0a.0.0.1",
    "10.0.0.256",
    "1.2.3.4.5",
    " 10.0.0.1",
    "fe80::1%eth0",
    "::1/64",
    ":::",
  ])("refuses %j", (text) => {
    expect(readIp(text)).toBeUndefined();
    expect(() => parseIp("dns", text)).toThrow(/Invalid dns/);
  });
});
