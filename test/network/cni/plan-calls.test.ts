import { describe, expect, test } from "vitest";
import { type CniVersion, cniVersions } from "../../../src/network/cni/cni-version.ts";
import type { CniNetwork } from "../../../src/network/cni/network-list.ts";
import {
  type AttachmentTarget,
  type PluginCall,
  planAdd,
  planArgs,
  planCheck,
  planDel,
  planGc,
  planStatus,
} from "../../../src/network/cni/plan-calls.ts";
import { readPluginResult } from "../../../src/network/cni/plugin-result.ts";

const plugins = [
  { type: "a", capabilities: [], config: { mtu: 9, name: "other", prevResult: { a: 1 }, runtimeConfig: { b: 2 } } },
  { type: "b", capabilities: ["ips", "mac"], config: {} },
];
const network = (version: CniVersion, change: Partial<CniNetwork> = {}): CniNetwork => ({
  name: "net",
  version,
  disableCheck: false,
  disableGc: false,
  plugins,
  ...change,
});
const target: AttachmentTarget = {
  containerId: "c1",
  netnsPath: "/run/netns/c1",
  interfaceName: "eth0",
  args: "IgnoreUnknown=1",
  capabilityArgs: { ips: ["10.0.0.1"], portMappings: [] },
};
const result = readPluginResult("a", '{"ips":[{"address":"10.0.0.1/8"}]}', "1.1.0");
const input = (call: PluginCall | undefined) => JSON.parse(call?.input ?? "null") as Record<string, unknown>;
const env = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/c1",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "IgnoreUnknown=1",
};

describe("plans of plugin calls", () => {
  test("ADD: the plugin's configuration as written, with what the runtime says over it", () => {
    const [a, b] = plugins;
    if (a === undefined || b === undefined) throw new Error("no plugins");
    const first = planAdd(network("1.0.0"), a, target, undefined);
    expect({ ...first, input: input(first) }).toEqual({
      type: "a",
      command: "ADD",
      env,
      input: { cniVersion: "1.0.0", name: "net", type: "a", mtu: 9 },
    });
    expect(input(planAdd(network("0.4.0"), b, target, result))).toEqual({
      cniVersion: "0.4.0",
      name: "net",
      type: "b",
      runtimeConfig: { ips: ["10.0.0.1"] },
      prevResult: { cniVersion: "0.4.0", interfaces: [], ips: [{ address: "10.0.0.1/8", version: "4" }], routes: [] },
    });
  });

  test.each(cniVersions)("DEL in %s: last plugin first, each with the whole result from 0.4.0 on", (version) => {
    const calls = planDel(network(version), { ...target, netnsPath: "" }, result);
    expect(calls.map(({ type, command }) => `${type} ${command}`)).toEqual(["b DEL", "a DEL"]);
    expect(calls.map((call) => input(call)["prevResult"] !== undefined)).toEqual(
      version === "0.3.1" ? [false, false] : [true, true],
    );
    expect(calls.map((call) => call.env["CNI_NETNS"])).toEqual(["", ""]);
    expect(planDel(network(version), target, undefined).map((call) => input(call)["prevResult"])).toEqual([
      undefined,
      undefined,
    ]);
  });

  test.each(cniVersions)("CHECK, GC and STATUS in %s: where the version has them", (version) => {
    const names = (calls: readonly PluginCall[]) => calls.map(({ type }) => type);
    expect(names(planCheck(network(version), target, result))).toEqual(version === "0.3.1" ? [] : ["a", "b"]);
    const since11 = version === "1.1.0" ? ["a", "b"] : [];
    expect(names(planGc(network(version), [target]))).toEqual(since11);
    expect(names(planStatus(network(version)))).toEqual(since11);
    expect(planCheck(network(version, { disableCheck: true }), target, result)).toEqual([]);
    expect(planGc(network(version, { disableGc: true }), [target])).toEqual([]);
  });

  test("GC names every attachment there is, and no pod's environment", () => {
    const [call] = planGc(network("1.1.0"), [target]);
    expect(call?.env).toEqual({});
    expect(input(call)).toEqual({
      cniVersion: "1.1.0",
      name: "net",
      type: "a",
      mtu: 9,
      "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }],
    });
  });
});

describe("planArgs()", () => {
  test("tells a pod's names as container runtimes do", () => {
    expect(planArgs({ sandboxId: "s", namespace: "n", name: "p", uid: "u" })).toBe(
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=s;K8S_POD_UID=u",
    );
  });

  test.each(["p;IP=10.0.0.1", "a=b", "a\nb", "a\0"])("refuses the name %j, which would be more than a name", (name) => {
    expect(() => planArgs({ sandboxId: "s", namespace: "n", name })).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining("K8S_POD_NAME") }),
    );
  });
});
