import { describe, expect, test } from "vitest";
import { parseNetworkList, parsePluginFile } from "../../../src/network/cni/network-list.ts";

const list = (change: object) =>
  JSON.stringify({ cniVersion: "1.0.0", name: "net", plugins: [{ type: "bridge" }], ...change });
const parse = (change: object) => parseNetworkList("/etc/cni/net.d/10-a.conflist", list(change));

describe("parseNetworkList()", () => {
  test("reads a list", () => {
    const plugins = [
      { type: "bridge", ipam: { type: "host-local" }, mtu: 1400 },
      { type: "portmap", capabilities: { portMappings: true, other: false } },
    ];
    expect(parse({ cniVersions: ["0.4.0", "1.1.0", "7.0.0"], disableCheck: true, disableGC: "true", plugins })).toEqual(
      {
        name: "net",
        versions: ["0.4.0", "1.0.0", "1.1.0"],
        disableCheck: true,
        disableGc: true,
        onlyInlinedPlugins: false,
        plugins: [
          { type: "bridge", capabilities: [], config: { ipam: { type: "host-local" }, mtu: 1400 } },
          { type: "portmap", capabilities: ["portMappings"], config: {} },
        ],
      },
    );
  });

  test.each([".conf", ".json"])("reads one plugin of a %s file as a network", (ending) => {
    const content = JSON.stringify({
      cniVersion: "0.3.1",
      name: "old",
      type: "ptp",
      capabilities: { ips: true },
      mtu: 9,
    });
    expect(parseNetworkList(`/x/10${ending}`, content)).toEqual({
      name: "old",
      versions: ["0.3.1"],
      disableCheck: false,
      disableGc: false,
      onlyInlinedPlugins: true,
      plugins: [{ type: "ptp", capabilities: ["ips"], config: { mtu: 9 } }],
    });
  });

  test.each([
    ["no JSON", "{", /10-a.conflist": must be JSON$/],
    ["no object", "[]", /must be an object/],
    ["no name", list({ name: undefined }), /: name must be text/],
    ["a name that leads elsewhere", list({ name: "../../etc" }), /name must start with a letter or digit/],
    [
      "no version",
      list({ cniVersion: undefined }),
      /cniVersion: must be one of 0.3.1, 0.4.0, 1.0.0, 1.1.0: none is given/,
    ],
    [
      "a version from before results named interfaces",
      list({ cniVersion: "0.2.0" }),
      /cniVersion: must be .*: "0.2.0"/,
    ],
    ["plugins that are none", list({ plugins: {} }), /plugins must be an array of plugins/],
    ["a plugin without type", list({ plugins: [{}] }), /plugins\[0\].type must be the name of a plugin/],
    [
      "a plugin that leads elsewhere",
      list({ plugins: [{ type: "../../bin/sh" }] }),
      /plugins\[0\].type must be .* without "\/"/,
    ],
    ["a directory as plugin", list({ plugins: [{ type: ".." }] }), /plugins\[0\].type must be the name/],
    [
      "a capability that is no flag",
      list({ plugins: [{ type: "a", capabilities: { ips: 1 } }] }),
      /capabilities.ips must be true or false/,
    ],
    ["a flag that is none", list({ disableCheck: "yes" }), /disableCheck must be true or false/],
  ])("refuses %s", (_, content, message) => {
    expect(() => parseNetworkList("/etc/cni/net.d/10-a.conflist", content)).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringMatching(message) }),
    );
  });

  test("reads a plugin's own file", () => {
    expect(
      parsePluginFile("/x/net/20.conf", JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "a", b: 1 })),
    ).toEqual({
      type: "a",
      capabilities: [],
      config: { b: 1 },
    });
  });
});
