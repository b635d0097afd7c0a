import { expect, test } from "vitest";
import {
  bootstrapForm,
  encodeBootstrapInput,
  encodeRuncOptions,
  parseBootstrapOutput,
} from "../../src/runtime/shim-bootstrap.ts";

const hash = "cf8528395d39f7f4db5e833a4ba43f38c00f4c1732ac0bcfa7a312536a205d80";
const socketPath = `/run/containerd/s/${hash}`;

const outputs: ReadonlyArray<readonly [form: string, output: Buffer, want: object]> = [
  ["1.6 text", Buffer.from(`unix://${socketPath}`), { version: 2, socketPath }],
  ["text with a newline", Buffer.from(`unix://${socketPath}\n`), { version: 2, socketPath }],
  [
    "1.3 abstract socket",
    Buffer.from("/containerd-shim/abc.sock"),
    { version: 2, socketPath: "\0/containerd-shim/abc.sock" },
  ],
  [
    "2.0 to 2.2 JSON",
    Buffer.from(`{"version":3,"address":"unix://${socketPath}","protocol":"ttrpc"}`),
    { version: 3, socketPath },
  ],
  [
    "JSON of a task v2 shim",
    Buffer.from('{"version":2,"address":"unix:///run/s","protocol":"ttrpc"}'),
    { version: 2, socketPath: "/run/s" },
  ],
  // field 1 varint 3, field 2 "unix:///run/s", field 3 "ttrpc"
  [
    "2.3 protobuf",
    Buffer.from(
      `0803${"120d"}${Buffer.from("unix:///run/s").toString("hex")}${"1a05"}${Buffer.from("ttrpc").toString("hex")}`,
      "hex",
    ),
    { version: 3, socketPath: "/run/s" },
  ],
];

test.each(outputs)("parseBootstrapOutput() reads %s", (_, output, want) => {
  expect(parseBootstrapOutput(output)).toEqual(want);
});

const refused: ReadonlyArray<readonly [what: string, output: Buffer, code: string]> = [
  ["nothing", Buffer.alloc(0), "Unavailable"],
  ["words", Buffer.from("level=error msg=broken"), "Unavailable"],
  ["cut JSON", Buffer.from('{"version":3,"addr'), "Unavailable"],
  ["JSON of other types", Buffer.from('{"version":"3","address":"unix:///s","protocol":"ttrpc"}'), "Unavailable"],
  ["cut protobuf", Buffer.from("0803120d75", "hex"), "Unavailable"],
  ["an unknown version", Buffer.from('{"version":4,"address":"unix:///s","protocol":"ttrpc"}'), "Unimplemented"],
  ["gRPC", Buffer.from('{"version":3,"address":"unix:///s","protocol":"grpc"}'), "Unimplemented"],
  ["a virtual machine's socket", Buffer.from("vsock://3:1024"), "Unimplemented"],
];

test.each(refused)("parseBootstrapOutput() refuses %s", (_, output, code) => {
  expect(() => parseBootstrapOutput(output)).toThrow(expect.objectContaining({ code }));
});

test.each([
  ["/usr/bin/containerd-shim-runc-v2:\n  Version:  1.6.20~ds1\n  Revision: 1.6.20~ds1-1\n", "options"],
  ["containerd-shim-runc-v2:\n  Version:  1.7.34\n", "options"],
  ["containerd-shim-runc-v2:\n  Version:  v2.2.7\n", "options"],
  ["containerd-shim-runc-v2:\n  Version:  2.3.7+unknown\n", "params"],
  ["containerd-shim-runc-v2:\n  Version:  v2.10.0-beta.1\n", "params"],
  ["containerd-shim-runc-v2:\n  Version:  3.0.0\n", "params"],
  ["containerd-shim-kata-v2 (Rust): 3.12.0\n", "options"],
  ["containerd-shim-runsc-v1:\n  Version:  release-20250101.0\n", "options"],
  ["", "options"],
])("bootstrapForm() of %j is %s", (text, form) => {
  expect(bootstrapForm(text)).toBe(form);
});

const input = { instanceId: "i1", namespace: "n1", eventsAddress: "/run/e.sock" };

test("encodeBootstrapInput() writes an Any of runc options for older shims, nothing without options", () => {
  const options = encodeRuncOptions({ binary_name: "crun", root: "/r" });
  // Options field 6 "crun", field 7 "/r"; Any field 1 the type, field 2 those bytes
  const value = "32046372756e" + "3a022f72";
  expect(Buffer.from(options.value).toString("hex")).toBe(value);
  const type = Buffer.from("containerd.runc.v1.Options");
  expect(encodeBootstrapInput("options", { ...input, options }).toString("hex")).toBe(
    `0a${type.length.toString(16)}${type.toString("hex")}120a${value}`,
  );
  expect(encodeBootstrapInput("options", { ...input, options: undefined }).length).toBe(0);
});

test("encodeBootstrapInput() writes BootstrapParams for newer shims", () => {
  const hex = encodeBootstrapInput("params", { ...input, options: undefined }).toString("hex");
  const address = `0b${Buffer.from("/run/e.sock").toString("hex")}`;
  const binary = `09${Buffer.from("/bin/true").toString("hex")}`;
  expect(hex).toBe(`0a02693112026e312a${address}32${address}3a${binary}`);
});
