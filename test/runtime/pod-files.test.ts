import { describe, expect, test } from "vitest";
import { namesOnlyLoopback, renderHosts, renderResolvConf } from "../../src/runtime/pod-files.ts";

const none = { servers: [], searches: [], options: [] };

describe("renderResolvConf()", () => {
  test.each([
    [none, ""],
    [{ ...none, servers: ["10.0.0.1", "fd00::1"] }, "nameserver 10.0.0.1\nnameserver fd00::1\n"],
    [
      { servers: ["1.1.1.1"], searches: ["a.test", "b.test"], options: ["ndots:5", "edns0"] },
      "search a.test b.test\nnameserver 1.1.1.1\noptions ndots:5 edns0\n",
    ],
  ])("%j", (dns, text) => {
    expect(renderResolvConf(dns)).toBe(text);
  });

  test.each([
    [{ ...none, servers: ["1.1.1.1\nnameserver 6.6.6.6"] }, "Invalid dns_config.servers[0]"],
    [{ ...none, searches: ["a", "b c"] }, 'Invalid dns_config.searches[1] "b c"'],
    [{ ...none, options: [""] }, 'Invalid dns_config.options[0] ""'],
  ])("refuses %j", (dns, message) => {
    expect(() => renderResolvConf(dns)).toThrow(message);
  });
});

test("renderHosts() names the pod at each of its addresses", () => {
  const text = renderHosts("web", ["10.0.0.2", "fd00::2"]);
  expect(text).toContain("127.0.0.1\tlocalhost\n");
  expect(text.endsWith("10.0.0.2\tweb\nfd00::2\tweb\n")).toBe(true);
});

test.each([
  ["nameserver 127.0.0.53\nsearch x\n", true],
  ["nameserver ::1\nnameserver 127.0.0.1\n", true],
  ["nameserver 127.0.0.53\nnameserver 9.9.9.9\n", false],
  ["search x\n", false],
])("namesOnlyLoopback(%j) is %j", (text, want) => {
  expect(namesOnlyLoopback(text)).toBe(want);
});
