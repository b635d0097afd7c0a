import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { execOutput, podConfig, type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const server = ["/bin/httpd", "-f", "-v", "-p", "80", "-h", "/www"];

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("a pod's network", () => {
  const world = useWorld();

  async function addresses(running: RunningContainer): Promise<{ ipv4: string; ipv6: string }> {
    const { status } = await world().client.call("PodSandboxStatus", { pod_sandbox_id: running.podId });
    return { ipv4: status?.network?.ip ?? "", ipv6: status?.network?.additional_ips[0]?.ip ?? "" };
  }

  test("is reached from the host and from another pod over IPv4 and IPv6", async () => {
    const web = await runContainer(world(), server);
    const caller = await runContainer(world());
    const { ipv4, ipv6 } = await addresses(web);
    for (const url of [`http://${ipv4}/index.html`, `http://[${ipv6}]/index.html`]) {
      const fetched = await eventually(url, async () =>
        (await fetch(url, { signal: AbortSignal.timeout(3000) })).text(),
      );
      expect(fetched).toBe("a page from a pod\n");
      expect(await execOutput(world(), caller.containerId, "wget", "-q", "-O", "-", url)).toBe("a page from a pod\n");
    }
  });

  test("is one interface with the ENI's MAC, shared by the containers, and a loopback", async () => {
    const running = await runContainer(world());
    const { ipv4, ipv6 } = await addresses(running);
    const shown = await execOutput(world(), running.containerId, "ip", "addr");
    expect(shown.match(/^\d+: (\w+)/gm)?.map((line) => line.split(" ")[1])).toEqual(["lo", "eth0"]);
    expect(shown).toMatch(/link\/ether 00:16:3e:/);
    expect(shown).toContain(`inet ${ipv4}/`);
    expect(shown).toContain(`inet6 ${ipv6}/`);
    expect(shown).toMatch(/lo: <LOOPBACK,UP/);
  });

  test("the pod's files say its name, its addresses and where names are resolved", async () => {
    const pod = podConfig(world(), {
      hostname: "webster",
      dns_config: { servers: ["10.1.2.3"], searches: ["svc.example"], options: ["ndots:5"] },
    });
    const running = await runContainer(world(), [], { pod });
    const read = (path: string) => execOutput(world(), running.containerId, "cat", path);
    const { ipv4 } = await addresses(running);
    expect((await execOutput(world(), running.containerId, "hostname")).trim()).toBe("webster");
    expect((await read("/etc/hostname")).trim()).toBe("webster");
    expect(await read("/etc/hosts")).toMatch(new RegExp(`^${ipv4}\\s+webster`, "m"));
    expect((await read("/etc/resolv.conf")).trim().split("\n")).toEqual([
      "search svc.example",
      "nameserver 10.1.2.3",
      "options ndots:5",
    ]);
  });

  test("an address goes to one pod at a time", async () => {
    const running = await Promise.all(Array.from({ length: 5 }, () => runContainer(world())));
    const all = await Promise.all(running.map(addresses));
    expect(new Set(all.map(({ ipv4 }) => ipv4)).size).toBe(5);
    expect(new Set(all.map(({ ipv6 }) => ipv6)).size).toBe(5);
  });
});
