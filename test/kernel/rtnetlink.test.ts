import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SystemError } from "../../src/common/errors.ts";
import { formatIp } from "../../src/common/ip-address.ts";
import type { KernelCommand, LinkRequest } from "../../src/system/kernel-command.ts";
import { KernelWorker } from "../../src/system/kernel-worker.ts";
import { prepareNetnsDirectory } from "../../src/system/netns-directory.ts";

/** What we write and read through netlink, against what ip(8) sees. */

interface IpAddressJson {
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}
interface IpRouteJson {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly type?: string;
}

const name = `nt${randomBytes(5).toString("hex")}`;
const [netns, peer] = [`/run/netns/${name}a`, `/run/netns/${name}b`];
const kernel = new KernelWorker();

function ip<Json>(...args: readonly string[]): readonly Json[] {
  return JSON.parse(execFileSync("ip", ["-n", `${name}a`, "-j", ...args], { encoding: "utf8" }) || "[]") as Json[];
}

function links(requests: readonly LinkRequest[], ignore: readonly string[] = []): Promise<void> {
  const command: KernelCommand = { kind: "links", netns, requests, ignore };
  return kernel.run([command]);
}

const veth = (link: string): LinkRequest => ({
  kind: "addVeth",
  name: link,
  mac: "02:00:00:00:00:01",
  mtu: 1400,
  alias: `podling/${name}/${link}`,
  peer: { name: link, netns: peer, mac: "02:00:00:00:00:02" },
});

beforeAll(async () => {
  prepareNetnsDirectory();
  for (const net of [netns, peer]) await kernel.run([{ kind: "createNamespaces", pins: { net }, hostname: "" }]);
  await links([veth("t0"), { kind: "setLink", link: "t0", up: true }]);
  await kernel.run([{ kind: "links", netns: peer, requests: [{ kind: "setLink", link: "t0", up: true }] }]);
});

afterAll(async () => {
  await kernel.run([{ kind: "removePins", paths: [netns, peer] }]);
  await kernel[Symbol.asyncDispose]();
});

/** Unicast addresses outside the ranges the kernel treats in a special way. */
const ipv4 = fc.bigInt(0x0a000000n, 0x0affffffn).map((value) => formatIp({ family: 4, value }));
const ipv6 = fc.bigInt(1n, (1n << 120n) - 1n).map((value) => formatIp({ family: 6, value: (0xfdn << 120n) | value }));
const address = fc.oneof(ipv4, ipv6);
const bits = (text: string) => (text.includes(":") ? 128 : 32);
const runs = { numRuns: 25 };

describe("rtnetlink codec", () => {
  test("links are as ip(8) shows them", async () => {
    const [ours] = (await kernel.listLinks(netns)).filter(({ name: link }) => link === "t0");
    const [theirs] = ip<Record<string, unknown>>("-d", "link", "show", "t0");
    expect(ours).toMatchObject({
      index: theirs?.["ifindex"],
      mac: "02:00:00:00:00:01",
      mtu: 1400,
      up: true,
      alias: `podling/${name}/t0`,
      group: 0,
      type: "veth",
      peerIndex: theirs?.["link_index"],
    });
    expect(theirs).toMatchObject({ address: ours?.mac, mtu: ours?.mtu, ifalias: ours?.alias });
  });

  test("addresses we add are those ip(8) shows, and those we read", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(address, { minLength: 1, maxLength: 8 }), fc.nat(64), async (wanted, cut) => {
        const items = wanted.map((text) => ({ text, length: Math.max(8, bits(text) - cut) }));
        await links(
          items.map(({ text, length }) => ({
            kind: "addAddress",
            link: "t0",
            address: text,
            prefixLength: length,
            noPrefixRoute: true,
          })),
        );
        const expected = items.map(({ text, length }) => `${text}/${length}`).sort();
        const theirs = ip<IpAddressJson>("address", "show", "dev", "t0")
          .flatMap((link) => link.addr_info ?? [])
          .filter(({ scope }) => scope === "global")
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
        expect(theirs.sort()).toEqual(expected);
        const ours = (await kernel.listAddresses(netns))
          .filter(({ address: text }) => !text.startsWith("127.") && text !== "::1" && !text.startsWith("fe80"))
          .map((info) => `${info.address}/${info.prefixLength}`);
        expect(ours.sort()).toEqual(expected);
        execFileSync("ip", ["-n", `${name}a`, "address", "flush", "dev", "t0", "scope", "global"]);
      }),
      runs,
    );
  });

  test("routes we add and delete are those ip(8) shows, and those we read", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(address, { minLength: 1, maxLength: 8 }),
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        async (hosts, unreachable) => {
          const routes = hosts.map((text, index) => ({
            destination: `${text}/${bits(text)}`,
            ...(unreachable[index] ? { unreachable: true as const } : { link: "t0" }),
          }));
          await links(routes.map((route) => ({ kind: "addRoute", ...route })));
          // Twice is once.
          await links(routes.map((route) => ({ kind: "addRoute", ...route })));
          const expected = routes.map((route) => `${"unreachable" in route ? "dark " : ""}${route.destination}`).sort();
          const theirs = [...ip<IpRouteJson>("route"), ...ip<IpRouteJson>("-6", "route")]
            .filter(({ dst }) => !dst.startsWith("fe80"))
            .map(({ dst, type }) => `${type === "unreachable" ? "dark " : ""}${dst}/${bits(dst)}`);
          expect(theirs.sort()).toEqual(expected);
          const ours = (await kernel.listRoutes(netns))
            .filter(({ table, destination }) => table === 254 && !destination.startsWith("fe80"))
            .map(({ destination, type }) => `${type === 7 ? "dark " : ""}${destination}`);
          expect(ours.sort()).toEqual(expected);
          await links(routes.map((route) => ({ kind: "deleteRoute", ...route })));
          expect((await kernel.listRoutes(netns)).filter(({ table }) => table === 254)).toHaveLength(1);
        },
      ),
      runs,
    );
  });

  test("gateways and source addresses arrive", async () => {
    await links([
      { kind: "addAddress", link: "t0", address: "10.1.0.1", prefixLength: 24 },
      { kind: "addAddress", link: "t0", address: "fd01::1", prefixLength: 64 },
      { kind: "addRoute", destination: "0.0.0.0/0", gateway: "10.1.0.253", link: "t0", source: "10.1.0.1" },
      { kind: "addRoute", destination: "::/0", gateway: "fe80::1", link: "t0", source: "fd01::1" },
    ]);
    const defaults = (await kernel.listRoutes(netns)).filter(({ destination }) => destination.endsWith("/0"));
    expect(defaults.map(({ destination, gateway, source }) => [destination, gateway, source])).toEqual([
      ["0.0.0.0/0", "10.1.0.253", "10.1.0.1"],
      ["::/0", "fe80::1", "fd01::1"],
    ]);
    expect(ip("route", "show", "default")).toMatchObject([{ gateway: "10.1.0.253", prefsrc: "10.1.0.1", dev: "t0" }]);
  });

  test("neighbours we add are permanent for ip(8) and for us", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(address, { minLength: 1, maxLength: 6 }), async (hosts) => {
        const mac = "00:16:3e:00:00:07";
        await links(hosts.map((text) => ({ kind: "addNeighbour", link: "t0", address: text, mac })));
        const theirs = ip<{ dst: string; lladdr: string; state: string[] }>("neigh", "show", "nud", "permanent");
        expect(theirs.map(({ dst, lladdr }) => `${dst} ${lladdr}`).sort()).toEqual(
          hosts.map((text) => `${text} ${mac}`).sort(),
        );
        const ours = (await kernel.listNeighbours(netns)).filter(({ permanent }) => permanent);
        expect(ours.map((entry) => entry.address).sort()).toEqual([...hosts].sort());
        await links(hosts.map((text) => ({ kind: "deleteNeighbour", link: "t0", address: text })));
      }),
      runs,
    );
  });

  test("proxy delay and group arrive; a group is deleted by one request", async () => {
    await links([veth("g0"), veth("g1"), { kind: "setProxyDelay", link: "g0", delayMs: 0 }]);
    const delay = execFileSync("ip", ["netns", "exec", `${name}a`, "cat", "/proc/sys/net/ipv4/neigh/g0/proxy_delay"]);
    expect(delay.toString().trim()).toBe("0");
    await links([
      { kind: "setLink", link: "g0", group: 99 },
      { kind: "setLink", link: "g1", group: 99 },
      { kind: "deleteGroup", group: 99 },
    ]);
    expect((await kernel.listLinks(netns)).map((link) => link.name).sort()).toEqual(["lo", "t0"]);
  });

  const refused: readonly (readonly [string, KernelCommand, string, RegExp])[] = [
    [
      "a missing link",
      { kind: "links", netns, requests: [{ kind: "setLink", link: "nope", up: true }] },
      "ENODEV",
      /"nope"/,
    ],
    [
      "a bad prefix, in the kernel's own words",
      { kind: "links", netns, requests: [{ kind: "addAddress", link: "t0", address: "10.0.0.1", prefixLength: 99 }] },
      "EINVAL",
      /10\.0\.0\.1\/99.*Invalid prefix length/,
    ],
    ["a taken name", { kind: "links", netns, requests: [veth("t0")] }, "EEXIST", /"t0"/],
    [
      "no namespace",
      { kind: "links", netns: "/run/netns/none", requests: [veth("x")] },
      "ENOENT",
      /"\/run\/netns\/none"/,
    ],
    [
      "a file that is none",
      { kind: "links", netns: "/etc/hostname", requests: [veth("x")] },
      "EINVAL",
      /"\/etc\/hostname"/,
    ],
    [
      "an unknown table",
      { kind: "nftables", netns, commands: "list table inet nope" },
      "ENOENT",
      /nftables: No such file/,
    ],
    [
      "a sysctl of the whole machine",
      { kind: "sysctls", netns, values: { "kernel/hostname": "x" } },
      "EINVAL",
      /kernel\/hostname/,
    ],
    [
      "a sysctl out of its tree",
      { kind: "sysctls", netns, values: { "net/../kernel/hostname": "x" } },
      "EINVAL",
      /\.\./,
    ],
  ];
  test.each(refused)("refuses %s, and works on", async (_, command, errno, words) => {
    const error = await kernel.run([command]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SystemError);
    expect(error).toMatchObject({ errno, message: expect.stringMatching(words) });
    expect(await kernel.listLinks(netns)).not.toEqual([]);
  });
});

describe("nftables", () => {
  test("a transaction takes effect as a whole or not at all", async () => {
    const table = { family: "inet", name: "t" };
    await kernel.run([{ kind: "nftables", netns, commands: [{ add: { table } }] }]);
    const half = [
      { add: { table: { family: "inet", name: "half" } } },
      { delete: { table: { family: "inet", name: "missing" } } },
    ];
    await expect(kernel.run([{ kind: "nftables", netns, commands: half }])).rejects.toMatchObject({ errno: "ENOENT" });
    expect(await kernel.listNftables(netns, "list tables")).toMatchObject({
      nftables: [expect.anything(), { table: { family: "inet", name: "t" } }],
    });
  });
});
