import { describe, expect, test } from "vitest";
import { checkHostPorts, type HostPort } from "../../src/network/host-port.ts";

const port = (hostIp = "", change: Partial<HostPort> = {}): HostPort => ({
  protocol: "tcp",
  hostPort: 80,
  containerPort: 8080,
  hostIp,
  ...change,
});
const holder = (...hostPorts: HostPort[]) => ({ sandboxId: "s1", namespace: "default", name: "web", hostPorts });

describe("checkHostPorts()", () => {
  test.each<[HostPort, HostPort, boolean]>([
    [port(), port(), true],
    [port(), port("", { protocol: "udp" }), false],
    [port(), port("", { hostPort: 81 }), false],
    [port(), port("10.0.0.1"), true],
    [port("10.0.0.1"), port(), true],
    [port("10.0.0.1"), port("10.0.0.1"), true],
    [port("10.0.0.1"), port("10.0.0.2"), false],
    [port("0.0.0.0"), port("10.0.0.2"), true],
    [port("0.0.0.0"), port("::"), false],
    [port("0.0.0.0"), port("fd00::1"), false],
    [port("fd00::1"), port("::"), true],
    [port("fd00::1"), port(), true],
  ])("%j beside %j: conflict %j", (wanted, held, conflict) => {
    const check = () => checkHostPorts([wanted], [holder(), holder(port("", { hostPort: 9 })), holder(held)]);
    if (conflict) expect(check).toThrow(/pod "default\/web" \(sandbox "s1"\) has .*80\/tcp/);
    else check();
  });
});
