import { describe, expect, test } from "vitest";
import { parseCdiSpec } from "../../src/runtime/cdi-spec.ts";
import { applyCdi, type CdiFile, planCdi } from "../../src/runtime/plan-cdi.ts";
import { planSpec } from "../../src/runtime/plan-spec.ts";
import { specInput } from "./spec-fixture.ts";

const device = (name: string, containerEdits: object = {}) => ({ name, containerEdits });
const text = (change: object = {}) =>
  JSON.stringify({ cdiVersion: "0.3.0", kind: "acme.com/gpu", devices: [device("one")], ...change });
const file = (change: object = {}, priority = 0, path = "/etc/cdi/a.json"): CdiFile => ({
  path,
  priority,
  spec: parseCdiSpec(text(change)),
});

describe("parseCdiSpec()", () => {
  test("takes YAML as well", () => {
    const yaml = "cdiVersion: 0.6.0\nkind: a/b\ndevices:\n- name: '0'\n  containerEdits:\n    env: [A=b]\n";
    expect(parseCdiSpec(yaml).devices[0]?.containerEdits.env).toEqual(["A=b"]);
  });

  test.each<[string, object, RegExp]>([
    ["no known version", { cdiVersion: "9.0.0" }, /cdiVersion/],
    ["a kind without class", { kind: "acme.com" }, /vendor\/class/],
    ["no devices", { devices: [] }, /devices/],
    ["an unknown field", { device: [] }, /device/],
    ["a name twice", { devices: [device("a"), device("a")] }, /twice/],
    ["a bad variable", { devices: [device("a", { env: ["A"] })] }, /env/],
    ["a relative node", { devices: [device("a", { deviceNodes: [{ path: "dev/a" }] })] }, /deviceNodes/],
    ["an unknown hook", { devices: [device("a", { hooks: [{ hookName: "x", path: "/x" }] })] }, /hookName/],
    ["a name with a digit first", { devices: [device("0")] }, /at least 0.5.0/],
    ["a host path of a node", { devices: [device("a", { deviceNodes: [{ path: "/a", hostPath: "/b" }] })] }, /0.5.0/],
    ["a mount's type", { containerEdits: { mounts: [{ hostPath: "/a", containerPath: "/b", type: "x" }] } }, /0.4.0/],
    ["groups", { containerEdits: { additionalGids: [5] } }, /at least 0.7.0/],
    ["annotations", { annotations: { a: "b" } }, /at least 0.6.0/],
  ])("refuses %s", (name, change, message) => {
    const version = name === "a mount's type" ? { cdiVersion: "0.3.0" } : {};
    expect(() => parseCdiSpec(text({ ...version, ...change }))).toThrow(message);
  });
});

describe("planCdi()", () => {
  const env = (value: string) => ({ containerEdits: { env: [value] } });
  test("makes a spec's own edits once, before its first device's", () => {
    const devices = [device("one", { env: ["A=1"] }), device("two", { env: ["A=2"] })];
    const edits = planCdi(["acme.com/gpu=two", "acme.com/gpu=one"], [file({ devices, ...env("S=s") })]);
    expect(edits.map((one) => one.env)).toEqual([["S=s"], ["A=2"], ["A=1"]]);
  });

  test("takes the later directory's device", () => {
    const files = [file(env("FROM=etc")), file(env("FROM=run"), 1, "/var/run/cdi/a.json")];
    expect(planCdi(["acme.com/gpu=one"], files)[0]?.env).toEqual(["FROM=run"]);
  });

  test("names what nobody defines, and the files that are broken", () => {
    const files = [file(), { path: "/etc/cdi/b.json", priority: 0, fault: "devices: missing" }];
    const plan = () => planCdi(["acme.com/gpu=two", "other/x=y"], files);
    expect(plan).toThrow(expect.objectContaining({ code: "NotFound" }));
    expect(plan).toThrow(/"acme.com\/gpu=two", "other\/x=y".*"\/etc\/cdi\/b.json" is broken/);
  });

  test("does not choose between two files of one directory", () => {
    const files = [file(), file({}, 0, "/etc/cdi/b.json")];
    expect(() => planCdi(["acme.com/gpu=one"], files)).toThrow(/a.json" and .*b.json"/);
  });
});

test("applyCdi() makes every kind of edit", () => {
  const spec = planSpec(specInput({ rest: { user: { uid: 7, gid: 8, supplementalGroups: [8] } } }));
  const containerEdits = {
    env: ["LANG=C", "NEW=1"],
    mounts: [{ hostPath: "/opt/lib", containerPath: "/etc/hosts", options: ["ro"] }],
    hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook", "x"], timeout: 5 }],
    additionalGids: [0, 44],
    intelRdt: { closID: "gold" },
  };
  const edits = planCdi(["acme.com/gpu=one"], [file({ cdiVersion: "0.7.0", containerEdits })]);
  const node = { path: "/dev/gpu", type: "c", major: 10, minor: 3, fileMode: 0o660, access: "rw" } as const;
  const nodes = [{ ...node, uid: undefined, gid: 0 }];
  const edited = applyCdi(spec, { edits, nodes });
  expect(edited.process.env).toEqual(["PATH=/bin:/usr/bin", "HOSTNAME=pod-host", "LANG=C", "NEW=1"]);
  expect(edited.process.user.additionalGids).toEqual([8, 44]);
  expect(edited.mounts.filter(({ destination }) => destination === "/etc/hosts")).toEqual([
    { destination: "/etc/hosts", type: "bind", source: "/opt/lib", options: ["rbind", "ro"] },
  ]);
  expect(edited.hooks).toEqual({ createContainer: [{ path: "/bin/hook", args: ["hook", "x"], timeout: 5 }] });
  expect(edited.linux).toMatchObject({
    intelRdt: { closID: "gold" },
    devices: [{ path: "/dev/gpu", major: 10, minor: 3, uid: 7, gid: 0 }],
  });
  expect(edited.linux.resources.devices.at(-1)).toEqual({ allow: true, type: "c", major: 10, minor: 3, access: "rw" });
  expect(applyCdi(spec, { edits: [], nodes: [] })).toBe(spec);
});
