import { describe, expect, test } from "vitest";
import type { PortMapping } from "../../src/generated/runtime/v1/PortMapping.ts";
import { decodeSandbox } from "../../src/rpc/decode-sandbox.ts";
import { overTheWire } from "./wire.ts";

const metadata = { name: "a", namespace: "b", uid: "c", attempt: 0 };

function decode(port_mappings: PortMapping[], profile: "eci" | "node" = "node") {
  const request = overTheWire<Parameters<typeof decodeSandbox>[1]>("RunPodSandboxRequest", {
    config: { metadata, port_mappings },
  });
  return decodeSandbox(profile, request).hostPorts;
}

describe("host ports", () => {
  test("are those of mappings that name one, addresses in one spelling", () => {
    const hostPorts = decode([
      { container_port: 53 },
      { host_port: 80, container_port: 8080 },
      { host_port: 80, container_port: 80, protocol: "UDP", host_ip: "127.0.0.1" },
      { host_port: 80, container_port: 80, protocol: "SCTP", host_ip: "FD00:0::1" },
    ]);
    expect(hostPorts).toEqual([
      { protocol: "tcp", hostPort: 80, containerPort: 8080, hostIp: "" },
      { protocol: "udp", hostPort: 80, containerPort: 80, hostIp: "127.0.0.1" },
      { protocol: "sctp", hostPort: 80, containerPort: 80, hostIp: "fd00::1" },
    ]);
  });

  test.each<[string, PortMapping[], string]>([
    ["[0].container_port", [{ host_port: 80 }], "1 to 65535"],
    ["[0].protocol", [{ host_port: 80, container_port: 80, protocol: 9 as never }], "SCTP"],
    ["[0].host_ip", [{ host_port: 80, container_port: 80, host_ip: "localhost" }], "IPv6"],
    ["[0].host_ip", [{ host_port: 80, container_port: 80, host_ip: "0::1" }], "::1"],
    ["[0].host_ip", [{ host_port: 80, container_port: 80, host_ip: "fe80::1%eth0" }], "IPv6"],
    [
      "[1].host_port",
      [
        { host_port: 80, container_port: 80 },
        { host_port: 80, container_port: 81 },
      ],
      "port_mappings[0]",
    ],
  ])("refused: %s of %j", (field, mappings, message) => {
    expect(() => decode(mappings)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => decode(mappings)).toThrow(`config.port_mappings${field}`);
    expect(() => decode(mappings)).toThrow(message);
  });

  test("are not for elastic container instances", () => {
    expect(() => decode([{ host_port: 80, container_port: 80 }], "eci")).toThrow('profile = "node"');
  });
});
