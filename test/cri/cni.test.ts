import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { formatIp, parseIp } from "../../src/common/ip-address.ts";
import type { PodSandboxConfig } from "../../src/generated/runtime/v1/PodSandboxConfig.ts";
import { AgentBridge, debianPlugins, lacksPlugins } from "../support/cni-network.ts";
import { output } from "../support/command.ts";
import { hostPort } from "../support/own-numbers.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

interface Inspection {
  readonly status: {
    readonly state: string;
    readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] };
  };
  readonly info: {
    readonly netNsPath: string;
    readonly network: { readonly cniNetwork: string; readonly mac: string };
  };
}

interface Info {
  readonly status: {
    readonly conditions: readonly { type: string; status: boolean; reason: string; message: string }[];
  };
}

const server = ["/bin/httpd", "-f", "-p", "80", "-h", "/www"];
const unable = lacksPlugins(debianPlugins) || cannotRun("crictl", "docker-registry", "runc");

describe.skipIf(unable)("a pod on a CNI network", () => {
  const bridge = new AgentBridge();
  const ids: string[] = [];
  afterAll(() => bridge.network[Symbol.asyncDispose]());
  const world = useWorld({ overrides: { profile: "node" }, network: bridge.settings });
  // Runs before the world's own check.
  afterEach(() => void ids.splice(0));

  async function runPod(overrides: PodSandboxConfig = {}): Promise<string> {
    const { crictl } = world();
    const id = await crictl.run("runp", crictl.file(podConfig(world(), overrides)));
    ids.push(id);
    return id;
  }
  const inspect = (id: string) => world().crictl.json<Inspection>("inspectp", id);
  const stopAndRemove = async (id: string) => {
    await world().crictl.run("stopp", id);
    await world().crictl.run("rmp", id);
  };
  const leftovers = () => bridge.network.leftovers(ids);
  async function networkReady(): Promise<object | undefined> {
    const { status } = await world().crictl.json<Info>("info");
    return status.conditions.find(({ type }) => type === "NetworkReady");
  }
  const page = async (host: string) => (await fetch(`http://${host}/index.html`)).text();

  test("has an address of each family, its host port and its bandwidth until it is stopped", async () => {
    const port = hostPort();
    const pod = {
      annotations: { "kubernetes.io/ingress-bandwidth": "80M", "kubernetes.io/egress-bandwidth": "40M" },
      port_mappings: [{ host_port: port, container_port: 80 }],
    };
    const { podId, containerId } = await runContainer(world(), server, { pod });
    ids.push(podId);
    const { status, info } = await inspect(podId);
    const [ipv4, ipv6] = [status.network.ip, status.network.additionalIps[0]?.ip ?? ""];
    expect(ipv4).toMatch(/^10\.\d+\.77\.\d+$/);
    expect(info.network).toMatchObject({ cniNetwork: bridge.network.name, ipv4, ipv6 });
    for (const host of [`127.0.0.1:${port}`, ipv4, `[${ipv6}]`]) {
      await expect.poll(() => page(host).catch(String), { timeout: 15_000 }).toBe("a page from a pod\n");
    }
    const shown = await execOutput(world(), containerId, "ip", "addr", "show", "dev", "eth0");
    expect(shown).toContain(`link/ether ${info.network.mac}`);
    expect(shown).toContain(`inet ${ipv4}/24`);
    expect(shown).toContain(`inet6 ${ipv6}/64`);
    expect(await execOutput(world(), containerId, "cat", "/etc/hosts")).toMatch(new RegExp(`^${ipv4}\\s`, "m"));
    const shapers = await output(["tc", "qdisc", "show"]);
    expect(shapers).toMatch(/tbf .* dev veth\w+ root .* rate 80Mbit/);
    expect(shapers).toMatch(/tbf .* dev bwp\w+ root .* rate 40Mbit/);

    await world().crictl.run("stopp", podId);
    await expect(page(`127.0.0.1:${port}`)).rejects.toThrow();
    expect(await leftovers()).toEqual([]);
    expect((await inspect(podId)).status).toMatchObject({ state: "SANDBOX_NOTREADY", network: { ip: "" } });
    await world().crictl.run("rmp", podId);
    expect(await leftovers()).toEqual([]);
  });

  test("gets the addresses and the MAC it asks for, and the refusal of who is second", async () => {
    const [ipv4, ipv6] = [
      bridge.network.ranges.ipv4.replace(".0/24", ".99"),
      formatIp(parseIp("range", bridge.network.ranges.ipv6.replace("::/64", "::99"))),
    ];
    const annotations = {
      "podling.dev/ip-addresses": `${ipv4},${ipv6}`,
      "podling.dev/mac-address": "02:00:5e:00:00:99",
    };
    const id = await runPod({ annotations });
    const { status, info } = await inspect(id);
    expect(status.network).toEqual({ ip: ipv4, additionalIps: [{ ip: ipv6 }] });
    expect(info.network.mac).toBe("02:00:5e:00:00:99");
    const netns = info.netNsPath.slice("/run/netns/".length);
    expect(await output(["ip", "-n", netns, "link", "show", "eth0"])).toContain("02:00:5e:00:00:99");
    const { crictl } = world();
    const second = crictl.file(podConfig(world(), { annotations: { "k8s.aliyun.com/eci-private-ip-address": ipv4 } }));
    const refusal = await crictl.refused("runp", second);
    expect(refusal).toMatch(/code = Unavailable.*CNI plugin \S+bridge\S+ failed to ADD .*requested IP address/);
    const elsewhere = crictl.file(podConfig(world(), { annotations: { "k8s.aliyun.com/eci-vswitch": "vsw-1" } }));
    expect(await crictl.refused("runp", elsewhere)).toMatch(/code = InvalidArgument.*eci-vswitch.*network.provider/);
    expect(bridge.network.addresses().length).toBe(2);
    await stopAndRemove(id);
    expect(await leftovers()).toEqual([]);
  });

  test("is refused while there is no network, as NetworkReady tells, and not a moment longer", async () => {
    const { crictl, agent } = world();
    expect(await networkReady()).toMatchObject({ status: true, reason: "", message: "" });
    rmSync(join(bridge.network.confDir, "10-test.conflist"));
    await expect.poll(networkReady, { timeout: 15_000 }).toMatchObject({
      status: false,
      reason: "NetworkPluginNotReady",
      message: expect.stringContaining(bridge.network.confDir),
    });
    const config = crictl.file(podConfig(world()));
    expect(await crictl.refused("runp", config)).toMatch(/code = Unavailable.*there is no CNI configuration/);
    await agent.kill();
    await agent.start();
    expect(await networkReady()).toMatchObject({ status: false });
    bridge.network.write();
    await expect.poll(networkReady, { timeout: 15_000 }).toMatchObject({ status: true });
    await stopAndRemove(await crictl.run("runp", config));
  });

  test("goes with all it had when its agent is killed between a plugin's ADD and the record of its result", async () => {
    const { agent, crictl } = world();
    // After the last of four plugins: everything is set up, and nobody has written down what.
    await agent.stop();
    await agent.start("net.cni-plugin-added:4");
    const config = crictl.file(podConfig(world(), { port_mappings: [{ host_port: hostPort(), container_port: 80 }] }));
    await crictl.refused("runp", config);
    await agent.ended();
    expect(bridge.network.addresses().length).toBe(2);
    expect((await leftovers()).some((line) => line.startsWith("rule "))).toBe(true);
    await agent.start();
    await expect.poll(leftovers, { timeout: 15_000 }).toEqual([]);
    const id = await crictl.run("runp", config);
    expect((await inspect(id)).status.state).toBe("SANDBOX_READY");
    await agent.kill();
    await agent.start();
    expect((await inspect(id)).status.network.ip).not.toBe("");
    await stopAndRemove(id);
    expect(await leftovers()).toEqual([]);
  });

  test("loses its addresses with its namespace, as at a reboot, and is shown as not ready", async () => {
    const { agent, crictl } = world();
    const [lost, kept] = [await runPod(), await runPod()];
    expect(bridge.network.addresses().length).toBe(4);
    const { info } = await inspect(lost);
    await agent.kill();
    await output(["ip", "netns", "delete", info.netNsPath.slice("/run/netns/".length)]);
    await agent.start();
    await expect.poll(() => bridge.network.addresses().length).toBe(2);
    expect((await inspect(lost)).status.state).toBe("SANDBOX_NOTREADY");
    expect((await inspect(kept)).status.state).toBe("SANDBOX_READY");
    for (const id of [lost, kept]) await crictl.run("rmp", "-f", id);
    expect((await leftovers()).filter((line) => !line.startsWith("masquerading of"))).toEqual([]);
  });
});
