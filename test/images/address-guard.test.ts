import { describe, expect, test } from "vitest";
import { isBlockedAddress, isLoopbackHost } from "../../src/images/address-guard.ts";

describe("isBlockedAddress()", () => {
  test.each([
    ["169.254.169.254", true, true],
    ["::ffff:169.254.169.254", true, true],
    ["100.100.100.200", true, true],
    ["100.100.100.201", false, false],
    ["fd00:ec2::254", true, true],
    ["fe80::1", true, true],
    ["127.0.0.1", false, true],
    ["127.9.9.9", false, true],
    ["::1", false, true],
    ["::ffff:127.0.0.1", false, true],
    ["0.0.0.0", false, true],
    ["::", false, true],
    ["10.0.0.1", false, false],
    ["192.0.2.1", false, false],
    ["2001:db8::1", false, false],
  ])("%s: of the registry itself %s, elsewhere %s", (address, registry, elsewhere) => {
    expect([isBlockedAddress(address, "registry"), isBlockedAddress(address, "elsewhere")]).toEqual([
      registry,
      elsewhere,
    ]);
  });
});

describe("isLoopbackHost()", () => {
  test.each([
    ["localhost", true],
    ["LOCALHOST.", true],
    ["a.localhost", true],
    ["127.0.0.2", true],
    ["[::1]", true],
    ["localhost.example", false],
    ["10.0.0.1", false],
  ])("%s: %s", (host, loopback) => {
    expect(isLoopbackHost(host)).toBe(loopback);
  });
});
