import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import type { HostPort } from "../../src/network/host-port.ts";
import { debianPlugins, lacksPlugins, newPlugins } from "../support/cni-network.ts";
import { eventually } from "../support/eventually.ts";
import { hostPort } from "../support/own-numbers.ts";
import { cannotRun } from "../support/requirements.ts";
import { connectFrom, pythonServer } from "./network-bed.ts";
import { type BedPod, bridgeKind, localVpcKind, ProviderBed } from "./provider-bed.ts";

const port = 8080;
const servers: ChildProcess[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.kill("SIGKILL");
});

async function serve({ netns }: BedPod, address: string): Promise<void> {
  const argv = ["netns", "exec", netns, "python3", "-c", pythonServer, address, String(port)];
  const server = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
  servers.push(server);
  await once(server.stdout, "data");
}

/** A bridge's own IPv6 address is not usable for the first second or two. */
const reaches = (connect: () => string) => expect.poll(connect, { timeout: 15_000 }).toMatch(/^saw/);

/** Above the range that the kernel gives to clients, so that nobody has it by accident. */
const tcp = (hostPort: number): HostPort => ({ protocol: "tcp", hostPort, containerPort: port, hostIp: "" });
const inside = (netns: string, ...argv: readonly string[]) =>
  execFileSync("ip", ["netns", "exec", netns, ...argv], { encoding: "utf8" });
const addressesOf = ({ network }: BedPod) => {
  if (network.ipv4 === undefined || network.ipv6 === undefined) throw new Error("the pod is not dual stack");
  return [network.ipv4, network.ipv6] as const;
};

/** The bridge plugin finds a pod's masquerading rules by the addresses in its namespace, and leaves them when that is gone. */
const counts = (line: string) => !line.startsWith("masquerading of ");

const kinds = [
  { name: "local-vpc", make: localVpcKind, unable: cannotRun() },
  { name: "cni", make: () => bridgeKind(debianPlugins), unable: lacksPlugins(debianPlugins) },
  {
    name: "cni, version 1.1",
    make: () => bridgeKind(newPlugins, { gc: true }),
    unable: lacksPlugins(newPlugins),
  },
];

/** What every provider promises; none may be run with a case of its own here. */
describe.each(kinds)("network provider $name", ({ make, unable }) => {
  describe.skipIf(unable)("on this kernel", () => {
    test("is ready from its start to its stop, and says why it is not", async () => {
      await using bed = new ProviderBed(make());
      expect(bed.provider.status()).toMatchObject({ ready: false, reason: expect.stringMatching(/^[A-Z]\w+$/) });
      await expect(bed.addPod()).rejects.toMatchObject({ code: "Unavailable" });
      await bed.provider.start(bed.live);
      expect(bed.provider.status()).toEqual({ ready: true, reason: "", message: "" });
      await bed.provider.stop();
      expect(bed.provider.status()).toMatchObject({ ready: false, message: expect.stringMatching(/./) });
      await expect(bed.addPod()).rejects.toMatchObject({ code: "Unavailable" });
      expect(await bed.leftovers()).toEqual([]);
    });

    test("gives a pod eth0 with an address of each family that the kernel has at once, and ways out of both", async () => {
      await using bed = await ProviderBed.started(make());
      const pod = await bed.addPod();
      const [ipv4, ipv6] = addressesOf(pod);
      const shown = inside(pod.netns, "ip", "addr", "show", "dev", "eth0");
      expect(pod.network.interfaceName).toBe("eth0");
      expect(shown).toContain(`link/ether ${pod.network.mac}`);
      expect(shown).toContain(`inet ${ipv4}/`);
      expect(shown).toMatch(new RegExp(`inet6 ${ipv6}/\\d+ scope global`));
      expect(shown).not.toContain("tentative");
      expect(inside(pod.netns, "ip", "route")).toMatch(/^default via .* dev eth0/m);
    });

    test("lets pods and the host reach each other's pods over both families", async () => {
      await using bed = await ProviderBed.started(make());
      const [a, b] = [await bed.addPod(), await bed.addPod()];
      for (const address of addressesOf(b)) {
        await serve(b, address);
        await reaches(() => connectFrom(a.netns, address, port));
        await reaches(() => connectFrom("", address, port));
      }
    });

    test("gives the same sandbox the same answer, and different ones different addresses", async () => {
      await using bed = await ProviderBed.started(make());
      const pods = await Promise.all(Array.from({ length: 6 }, () => bed.addPod()));
      const [first] = pods;
      if (first === undefined) throw new Error("no pods");
      expect(await bed.provider.attach(bed.request(first.id))).toEqual(first.network);
      expect(new Set(pods.flatMap(addressesOf)).size).toBe(12);
      expect(new Set(pods.map(({ network }) => network.mac)).size).toBe(6);
    });

    test("takes away what it gave: twice, beside each other, never given, and after the namespace", async () => {
      await using bed = await ProviderBed.started(make());
      const [pod, early] = [await bed.addPod(), await bed.addPod()];
      await Promise.all([1, 2, 3].map(() => bed.provider.detach(pod.id, pod.netnsPath)));
      await bed.provider.detach(newId(), "/run/netns/of-nobody");
      await bed.namespaces.remove({ net: early.netnsPath });
      await bed.provider.detach(early.id, early.netnsPath);
      await bed.removePod(pod.id);
      await bed.removePod(early.id);
      expect((await bed.leftovers()).filter(counts)).toEqual([]);
    });

    test("attaches a sandbox again that was detached before", async () => {
      await using bed = await ProviderBed.started(make());
      const pod = await bed.addPod();
      await bed.provider.detach(pod.id, pod.netnsPath);
      await bed.namespaces.remove({ net: pod.netnsPath });
      const again = await bed.addPod({ sandboxId: pod.id });
      const [ipv4] = addressesOf(again);
      await serve(again, ipv4);
      await reaches(() => connectFrom("", ipv4, port));
    });

    test("leaves nothing of a pod whose namespace is not there", async () => {
      await using bed = await ProviderBed.started(make());
      const id = newId();
      bed.ids.push(id);
      await expect(bed.provider.attach(bed.request(id))).rejects.toThrow();
      await bed.provider.detach(id, bed.netnsPath(id));
      expect(await bed.leftovers()).toEqual([]);
    });

    test("opens host ports to the pod that asked first, and closes them with it", async () => {
      await using bed = await ProviderBed.started(make());
      const number = hostPort();
      const pod = await bed.addPod({ hostPorts: [tcp(number)] });
      const [ipv4] = addressesOf(pod);
      await serve(pod, ipv4);
      await reaches(() => connectFrom("", "127.0.0.1", number));
      await expect(bed.addPod({ hostPorts: [tcp(number)] })).rejects.toMatchObject({
        code: "FailedPrecondition",
        message: expect.stringMatching(new RegExp(`${number}/tcp.*${pod.id}`)),
      });
      await bed.removePod(pod.id);
      expect(connectFrom("", "127.0.0.1", number)).toBe("failed 111");
      const next = await bed.addPod({ hostPorts: [tcp(number)] });
      await serve(next, addressesOf(next)[0]);
      await reaches(() => connectFrom("", "127.0.0.1", number));
    });

    test.each([false, true])(
      "keeps pods' networks over its end (a clean one: %j) and knows them after it",
      async (stop) => {
        await using bed = await ProviderBed.started(make());
        const number = hostPort();
        const pod = await bed.addPod({ hostPorts: [tcp(number)] });
        const [ipv4, ipv6] = addressesOf(pod);
        await serve(pod, ipv4);
        await serve(pod, ipv6);
        await bed.restart({ stop });
        expect(bed.provider.status().ready).toBe(true);
        await reaches(() => connectFrom("", ipv4, port));
        await reaches(() => connectFrom("", ipv6, port));
        await reaches(() => connectFrom("", "127.0.0.1", number));
        expect(await bed.provider.attach(bed.request(pod.id, { hostPorts: [tcp(number)] }))).toEqual(pod.network);
        expect(addressesOf(await bed.addPod())).not.toContain(ipv4);
        await bed.removePod(pod.id);
        expect(connectFrom("", "127.0.0.1", number)).toBe("failed 111");
      },
    );

    test("takes away at its start what pods without a record have, and their namespaces", async () => {
      await using bed = await ProviderBed.started(make());
      const [gone, staying] = [await bed.addPod({ hostPorts: [tcp(hostPort())] }), await bed.addPod()];
      bed.live.delete(gone.id);
      await bed.restart();
      const left = await eventually("the lost pod's network to go", async () => {
        const lines = await bed.leftovers();
        return !lines.some((line) => line.includes(gone.id) || line.includes(gone.netns)) && lines;
      });
      expect(left.join("\n")).toContain(staying.netns);
      expect(await bed.provider.attach(bed.request(staying.id))).toEqual(staying.network);
      await bed.removePod(staying.id);
      expect(await bed.leftovers()).toEqual([]);
    });

    test("takes away at its start what pods lost their namespaces of, as after a reboot", async () => {
      await using bed = await ProviderBed.started(make());
      const pods = [await bed.addPod(), await bed.addPod()];
      for (const { netnsPath } of pods) await bed.namespaces.remove({ net: netnsPath });
      await bed.restart();
      await eventually("the pods' networks to go", async () => !(await bed.leftovers()).some(counts));
      for (const { id } of pods) await bed.removePod(id);
    });
  });
});
