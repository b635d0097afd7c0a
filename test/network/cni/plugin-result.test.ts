import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cniVersions, hasSince } from "../../../src/network/cni/cni-version.ts";
import { podInterfaceOf, readPluginResult, writePluginResult } from "../../../src/network/cni/plugin-result.ts";

const read = (result: object, version: (typeof cniVersions)[number] = "1.1.0") =>
  readPluginResult("p", JSON.stringify(result), version);
const interfaces = [
  { name: "cni0", mac: "02:00:00:00:00:01" },
  { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/a", mtu: 1400, socketPath: "/s", pciID: "1" },
];
const newest = {
  interfaces,
  ips: [
    { address: "10.1.2.3/24", gateway: "10.1.2.1", interface: 1 },
    { address: "fd00::3/64", interface: 1 },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.1.2.1", mtu: 1300, advmss: 1, priority: 2, table: 3, scope: 4 }],
  dns: { nameservers: ["10.1.2.1"] },
  own: { of: "the plugin" },
};

describe("results of plugins", () => {
  test.each(cniVersions)("are handed on in version %s as that version has them", (version) => {
    const old = !hasSince(version, "1.1.0");
    const families = hasSince(version, "1.0.0") ? [{}, {}] : [{ version: "4" }, { version: "6" }];
    expect(writePluginResult(read(newest), version)).toEqual({
      ...newest,
      cniVersion: version,
      interfaces: old
        ? [interfaces[0], { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/a" }]
        : interfaces,
      ips: newest.ips.map((ip, index) => ({ ...ip, ...families[index] })),
      routes: old ? [{ dst: "0.0.0.0/0", gw: "10.1.2.1" }] : newest.routes,
    });
  });

  test("say the same after any number of versions below theirs", () => {
    const version = fc.constantFrom(...cniVersions);
    const ip = fc.record({
      address: fc.oneof(
        fc.ipV4().map((text) => `${text}/8`),
        fc.ipV6().map((text) => `${text}/64`),
      ),
    });
    fc.assert(
      fc.property(fc.array(version, { minLength: 1, maxLength: 5 }), fc.array(ip), (path, ips) => {
        let result = read({ interfaces: [{ name: "eth0", sandbox: "x" }], ips });
        for (const step of path) result = read(writePluginResult(result, step), step);
        expect(result.ips.map(({ address }) => address)).toEqual(ips.map(({ address }) => address));
        expect(result.interfaces).toEqual([{ name: "eth0", mac: "", sandbox: "x" }]);
      }),
    );
  });

  test("that name no version are in the request's", () => {
    expect(read({ ips: [{ version: "4", address: "10.0.0.1/8" }], interfaces: null }, "0.3.1")).toEqual({
      interfaces: [],
      ips: [{ address: "10.0.0.1/8", gateway: "" }],
      routes: [],
    });
  });

  test.each([
    ["", /must be JSON/],
    ["[]", /must be an object/],
    ['{"cniVersion":"0.2.0"}', /cniVersion must be one of .*: "0.2.0"/],
    ['{"ips":[{"address":"10.0.0.1"}]}', /ips.0.address must be an address with its prefix length/],
    ['{"ips":[{"address":"10.0.0.1.9/8"}]}', /ips.0.address must be an address/],
    [
      '{"ips":[{"address":"10.0.0.1/8","interface":1}],"interfaces":[{"name":"eth0"}]}',
      /"10.0.0.1\/8" is of an interface/,
    ],
  ])("that can't be used are refused: %s", (output, message) => {
    expect(() => readPluginResult("p", output, "1.0.0")).toThrow(
      expect.objectContaining({ code: "Unavailable", message: expect.stringMatching(message) }),
    );
  });
});

describe("podInterfaceOf()", () => {
  test("takes the addresses of the pod's own interface, one of each family first", () => {
    const ips = [
      { address: "10.9.9.9/24", interface: 0 },
      { address: "FD00:0::3/64", interface: 1 },
      { address: "10.1.2.3/24", interface: 1 },
      { address: "10.1.2.4/24", interface: 1 },
    ];
    expect(podInterfaceOf("net", "eth0", read({ interfaces, ips }))).toEqual({
      interfaceName: "eth0",
      mac: "02:00:00:00:00:02",
      ipv4: "10.1.2.3",
      ipv6: "fd00::3",
      moreAddresses: ["10.1.2.4"],
    });
  });

  test("takes addresses of no interface, as old plugins give them", () => {
    expect(podInterfaceOf("net", "eth0", read({ ips: [{ address: "fd00::3/64" }] }))).toMatchObject({
      mac: "",
      ipv4: undefined,
      ipv6: "fd00::3",
    });
  });

  test("refuses a result without an address for the pod", () => {
    const ips = [{ address: "10.9.9.9/24", interface: 0 }];
    expect(() => podInterfaceOf("net", "eth0", read({ interfaces, ips }))).toThrow(
      /network "net" gave "eth0" no address/,
    );
  });
});
