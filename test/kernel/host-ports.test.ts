import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import type { HostPort } from "../../src/network/host-port.ts";
import { hostPort, outsideRange } from "../support/own-numbers.ts";
import { connectFrom, NetworkBed, pythonServer, randomSettings } from "./network-bed.ts";

const servers: ChildProcess[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.kill("SIGKILL");
});

async function serve(netns: string, address: string, port: number): Promise<void> {
  const argv = ["netns", "exec", netns, "python3", "-c", pythonServer, address, String(port)];
  const server = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
  servers.push(server);
  await once(server.stdout, "data");
}

/** Above the range that the kernel gives to clients, so that nobody has it by accident. */
const tcp = (hostPort: number, hostIp = ""): HostPort => ({ protocol: "tcp", hostPort, containerPort: 8080, hostIp });

/** A machine beside the host, with addresses of both families. */
async function neighbour(
  use: (netns: string, host4: string, client4: string, host6: string) => Promise<void>,
): Promise<void> {
  const name = `nth${newId().slice(0, 8)}`;
  const net = outsideRange();
  const net6 = `fd${newId().slice(0, 2)}:${newId().slice(0, 4)}:${newId().slice(0, 4)}`;
  const run = (...argv: readonly string[]) => execFileSync("ip", argv);
  try {
    run("netns", "add", name);
    run("link", "add", name, "type", "veth", "peer", "name", "e0", "netns", name);
    run("addr", "add", `${net}.1/24`, "dev", name);
    run("addr", "add", `${net6}::1/64`, "dev", name, "nodad");
    run("link", "set", name, "up");
    run("-n", name, "addr", "add", `${net}.9/24`, "dev", "e0");
    run("-n", name, "link", "set", "e0", "up");
    await use(name, `${net}.1`, `${net}.9`, `${net6}::1`);
  } finally {
    execFileSync("ip", ["netns", "delete", name]);
  }
}

async function startedBed(natGateway: boolean): Promise<NetworkBed> {
  const bed = new NetworkBed(randomSettings({ natGateway }));
  await bed.vpc.start(bed.live);
  return bed;
}

const ruleset = (bed: NetworkBed) =>
  execFileSync("nft", ["list", "table", "inet", `podling_${bed.instance}`], { encoding: "utf8" });

describe("host ports", () => {
  test.each([true, false])(
    "lead to the pod from the host and from outside, NAT gateway %j",
    async (natGateway) => {
      await using bed = await startedBed(natGateway);
      const port = hostPort();
      const before = ruleset(bed);
      const pod = await bed.addPod({}, [tcp(port)]);
      const [other, bystander] = [await bed.addPod(), await bed.addPod()];
      await serve(pod.netns, pod.network.ipv4, 8080);
      await serve(pod.netns, pod.network.ipv6 ?? "", 8080);
      expect(connectFrom("", "127.0.0.1", port)).toMatch(/^saw 169\.254\./);
      await neighbour(async (netns, host, client, host6) => {
        if (natGateway) {
          // Back through the host to itself and to its neighbour.
          expect(connectFrom(pod.netns, host, port)).toMatch(/^saw 169\.254\./);
          expect(connectFrom(other.netns, host, port)).toMatch(/^saw 169\.254\./);
        }
        expect(connectFrom("", host, port)).toMatch(/^saw 169\.254\./);
        expect(connectFrom("", host6, port)).toMatch(/^saw fd/);
        expect(connectFrom("", "::1", port)).toBe("failed 111");
        // Where its answers have a way out of the VPC, the pod sees who calls.
        expect(connectFrom(netns, host, port)).toMatch(natGateway ? `saw ${client}` : /^saw 169\.254\./);
        // Only what the pod publishes: not its other ports, not by its own address, not through 127.0.0.1.
        expect(connectFrom(netns, host, 8080)).not.toContain("saw");
        execFileSync("ip", ["-n", netns, "route", "add", bed.settings.vpcs[0]?.cidr ?? "", "via", host]);
        expect(connectFrom(netns, pod.network.ipv4, 8080)).not.toContain("saw");
      });
      // Others gain nothing by it.
      expect(connectFrom(bystander.netns, "127.0.0.1", port)).not.toContain("saw");
      await bed.removePod(pod.id);
      expect(connectFrom("", "127.0.0.1", port)).toBe("failed 111");
      expect(ruleset(bed)).toBe(before);
    },
    60_000,
  );

  test("of one address are there only, and conflicts name who has the port", async () => {
    await using bed = await startedBed(true);
    const port = hostPort();
    const [a, b] = [await bed.addPod({}, [tcp(port, "127.0.0.1")]), await bed.addPod({}, [tcp(port, "127.0.0.2")])];
    await serve(a.netns, a.network.ipv4, 8080);
    await serve(b.netns, b.network.ipv4, 8080);
    expect(connectFrom("", "127.0.0.1", port)).toMatch(/^saw/);
    expect(connectFrom("", "127.0.0.2", port)).toMatch(/^saw/);
    expect(connectFrom("", "127.0.0.3", port)).toBe("failed 111");
    await expect(bed.addPod({}, [tcp(port)])).rejects.toThrow(`sandbox "${a.id}"`);
    await bed.removePod(a.id);
    await bed.removePod(b.id);
    const next = await bed.addPod({}, [tcp(port)]);
    await serve(next.netns, next.network.ipv4, 8080);
    expect(connectFrom("", "127.0.0.3", port)).toMatch(/^saw/);
  }, 60_000);

  test("stay through the end of an agent and come back when somebody removed them", async () => {
    const first = await startedBed(true);
    const port = hostPort();
    const pod = await first.addPod({}, [tcp(port)]);
    await serve(pod.netns, pod.network.ipv4, 8080);
    await first.vpc.stop();
    expect(connectFrom("", "127.0.0.1", port)).toMatch(/^saw/);
    await first.abandon();
    execFileSync("nft", ["delete", "table", "inet", `podling_${first.instance}`]);
    expect(connectFrom("", "127.0.0.1", port)).toBe("failed 111");
    await using second = new NetworkBed(first.settings, first.instance, first.directory);
    second.live.add(pod.id);
    await second.vpc.start(second.live);
    expect(connectFrom("", "127.0.0.1", port)).toMatch(/^saw/);
    await expect(second.addPod({}, [tcp(port)])).rejects.toThrow(pod.id);
    await second.removePod(pod.id);
    expect(connectFrom("", "127.0.0.1", port)).toBe("failed 111");
  }, 60_000);

  test("are refused to pods the host can't reach", async () => {
    const settings = randomSettings();
    const far = randomSettings({ id: "vpc-far" });
    const both = {
      vpcs: [...settings.vpcs, ...far.vpcs],
      vswitches: [...settings.vswitches, ...far.vswitches.map((vswitch) => ({ ...vswitch, id: "vsw-far" }))],
    };
    await using bed = new NetworkBed(both);
    await bed.vpc.start(bed.live);
    const annotations = { "k8s.aliyun.com/eci-vswitch": "vsw-far" };
    await expect(bed.addPod(annotations, [tcp(hostPort())])).rejects.toThrow(/"vpc-far".*"vpc-t"/);
  });
});
