import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Agent } from "../support/agent.ts";
import { runCommand } from "../support/command.ts";
import { outsideRange } from "../support/own-numbers.ts";
import { podConfig } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import type { TestInstance } from "../support/test-instance.ts";
import { useWorld } from "../support/world.ts";

const program = join(import.meta.dirname, "../../bin/podling");
const key = (name: string) => `k8s.aliyun.com/${name}`;
const range = outsideRange();

function network(instance: TestInstance): object {
  const vpc = "vpc-default";
  return {
    vpcs: [{ id: vpc, cidr: instance.cidr, ipv6_cidr: instance.ipv6Cidr, nat_gateway: true }],
    vswitches: [{ id: "vsw", vpc, zone: "a", cidr: instance.vswitchCidr, ipv6_cidr: instance.vswitchIpv6Cidr }],
    security_groups: [
      { id: "sg-default", vpc },
      { id: "sg-web", vpc, rules: [{ direction: "ingress" }] },
    ],
    eips: [{ id: "eip-free", address: `${range}.200`, bandwidth: 20 }],
    eip_pools: [{ id: "pippool-a", cidr: `${range}.0/29` }],
  };
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("podling net", () => {
  const world = useWorld({ network });
  const net = (...argv: readonly string[]) => runCommand([program, "net", ...argv, "--address", world().agent.socket]);
  const json = async <Answer>(list: string): Promise<Answer> =>
    JSON.parse((await net(list, "-o", "json")).stdout) as Answer;

  async function runPod(name: string, annotations: Record<string, string> = {}): Promise<string> {
    const { crictl } = world();
    return crictl.run("runp", crictl.file(podConfig(world(), { annotations, metadata: { name } })));
  }

  const repairs: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const repair of repairs.splice(0)) await repair();
  });
  /** A new start puts right what a test spoilt, so that the leak check compares like with like. */
  const restart = async () => {
    await world().agent.stop();
    await world().agent.start();
  };

  test("lists vSwitches, interfaces, addresses, security groups and EIPs, in words and as JSON", async () => {
    const id = await runPod("web", {
      [key("eci-security-group")]: "sg-web",
      [key("eci-with-eip")]: "true",
      [key("eci-fixed-ip")]: "true",
    });
    const [eni] = await json<Record<string, unknown>[]>("enis");
    expect(eni).toMatchObject({
      pod_sandbox_id: id,
      namespace: "default",
      name: "web",
      state: "attached",
      vswitch: "vsw",
      security_groups: ["sg-web"],
      eip: expect.stringMatching(new RegExp(`^${RegExp.escape(range)}\\.[0-7]$`)),
    });
    expect((await net("enis")).stdout).toMatch(/ENI +POD .*\neni-\S+ +default\/web +attached/);
    expect(await json("vswitches")).toMatchObject([
      { id: "vsw", zone: "a", used: 1, cidr: world().agent.instance.vswitchCidr },
    ]);
    expect((await net("vswitches")).stdout).toContain(world().agent.instance.vswitchCidr);
    expect(await json("ips")).toMatchObject([
      { state: "used", pod: "default/web", free_at: "0" },
      { state: "used", pod: "default/web", eni: eni?.["id"] },
    ]);
    expect(await json("security-groups")).toMatchObject([
      { id: "sg-default", members: 0, rules: 0, origin: "configuration" },
      { id: "sg-web", members: 1, rules: 1, type: "basic" },
    ]);
    expect(await json("eips")).toMatchObject([
      { id: "eip-free", address: `${range}.200`, origin: "configuration", pod: "" },
      { address: eni?.["eip"], origin: "pod", pod: "default/web" },
    ]);
    await world().crictl.run("stopp", id);
    expect((await net("ips")).stdout).toMatch(/held +default\/web .*\d{4}-\d\d-\d\dT/);
    expect(await json("enis")).not.toContainEqual(expect.objectContaining({ state: "attached" }));
  });

  test("mapping and check agree with the kernel beside pods that come and go, and after a restart", async () => {
    await runPod("a", { "kubernetes.io/egress-bandwidth": "10M" });
    const others = Promise.all(
      ["b", "c", "d"].map(async (name) => {
        const id = await runPod(name, { [key("eci-security-group")]: "sg-web,sg-default" });
        await world().crictl.run("stopp", id);
      }),
    );
    for (let round = 0; round < 3; round++) {
      const result = await net("check");
      expect([result.exitCode, result.stderr]).toEqual([0, ""]);
    }
    await others;
    await world().agent.kill();
    await world().agent.start();
    const mapping = await net("mapping");
    expect([mapping.exitCode, mapping.stderr]).toEqual([0, ""]);
    expect(mapping.stdout).toMatch(/default\/a .* matches/);
    expect((await net("check")).stdout).toContain("records and kernel agree on 1 interfaces");
  });

  const router = () => `podling-${world().agent.instance.name}-vpc-vpc-default`;
  const inRouter = (...argv: readonly string[]) => execFileSync("ip", ["netns", "exec", router(), ...argv]);
  const damages: readonly (readonly [string, (eni: Readonly<Record<string, string>>) => unknown, RegExp])[] = [
    ["a link that is down", ({ link = "" }) => inRouter("ip", "link", "set", link, "down"), /link eni\w+ is down/],
    ["a route that is gone", ({ ipv4 = "" }) => inRouter("ip", "route", "delete", ipv4), /no route to 10\./],
    [
      "a neighbour that is gone",
      ({ ipv4 = "", link = "" }) => inRouter("ip", "neigh", "delete", ipv4, "dev", link),
      /neighbour 10\..* is missing/,
    ],
    [
      "a binding that is gone",
      () => inRouter("nft", "flush", "set", "inet", "podling", "bound4"),
      /element of bound4 missing/,
    ],
    [
      "membership of a stranger",
      () => inRouter("nft", "add", "element", "inet", "podling", "members4_sg-default", "{ 10.1.2.3 }"),
      /element of members4_sg-default that no record asks for: "10\.1\.2\.3"/,
    ],
    [
      "a rule too many",
      () => inRouter("nft", "insert", "rule", "inet", "podling", "through_router", "accept"),
      /rule of through_router that no record asks for/,
    ],
    [
      "a rule of the host that is gone",
      () =>
        execFileSync("nft", [
          "flush",
          "chain",
          "inet",
          `podling_${world().agent.instance.name.replaceAll("-", "_")}`,
          "from_pods",
        ]),
      /host: rule of from_pods missing/,
    ],
    [
      "a pod's address that is not its own",
      ({ sandbox = "" }) =>
        execFileSync("ip", [
          "-n",
          `podling-${world().agent.instance.name}-${sandbox.slice(0, 13)}`,
          "addr",
          "add",
          "10.1.2.3/32",
          "dev",
          "eth0",
        ]),
      /eth0 has 10\.1\.2\.3, which is not its own/,
    ],
    [
      "a link of nobody",
      () => inRouter("ip", "link", "add", "eniunknown", "type", "veth", "peer", "name", "x"),
      /link eniunknown .* is of no record/,
    ],
  ];
  test.each(damages)("marks %s, and exits with 1", async (_, damage, words) => {
    repairs.push(restart);
    await runPod("other");
    const sandbox = await runPod("victim");
    const enis = await json<Record<string, string>[]>("enis");
    const { ipv4 = "", link = "" } = enis.find(({ name }) => name === "victim") ?? {};
    damage({ ipv4, link, sandbox });
    for (const command of ["mapping", "check"]) {
      const result = await net(command);
      expect(result.stdout).toMatch(words);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain("Records and kernel differ");
    }
    expect((await net("mapping", "-o", "json")).exitCode).toBe(1);
    await world().crictl.run("rmp", "-f", sandbox);
  });
});

test.skipIf(cannotRun("runc"))("podling net says so where the provider has nothing of the kind", async () => {
  await using agent = await Agent.start({ network: () => ({ provider: "cni" }) });
  for (const command of ["enis", "check"]) {
    const result = await runCommand([program, "net", command, "--address", agent.socket]);
    expect([result.exitCode, result.stdout]).toEqual([1, ""]);
    expect(result.stderr).toContain('another network.provider than "local-vpc"');
  }
});
