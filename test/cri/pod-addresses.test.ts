import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { podConfig } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import type { TestInstance } from "../support/test-instance.ts";
import { useWorld } from "../support/world.ts";

const annotation = (name: string) => `k8s.aliyun.com/${name}`;

/** The n-th /24 of the instance's own range. */
const subnet = (instance: TestInstance, n: number) => instance.cidr.replace(/\.0\.0\/16$/, `.${n}`);

/** crictl logs errors with their quotes escaped. */
const unquoted = (text: string) => text.replaceAll('\\"', '"');

/** vsw-small has 12 addresses, 4 of them reserved; vsw-four has no IPv6. */
function network(instance: TestInstance): object {
  const common = { vpc: "vpc-default", zone: "local-a" };
  return {
    vpcs: [{ id: "vpc-default", cidr: instance.cidr, ipv6_cidr: instance.ipv6Cidr, nat_gateway: true }],
    vswitches: [
      { ...common, id: "vsw-main", cidr: `${subnet(instance, 1)}.0/24`, ipv6_cidr: instance.vswitchIpv6Cidr },
      { ...common, id: "vsw-small", cidr: `${subnet(instance, 2)}.0/28`, reserved: [`${subnet(instance, 2)}.4/30`] },
      { ...common, id: "vsw-four", cidr: `${subnet(instance, 3)}.0/24` },
    ],
  };
}

interface Inspection {
  readonly status: { readonly network: { readonly ip: string; readonly additionalIps?: readonly { ip: string }[] } };
  readonly info: {
    readonly network: {
      readonly vswitchId: string;
      readonly choice: {
        readonly source: string;
        readonly sourceName: string;
        readonly order: string;
        readonly losers: readonly { readonly vswitchId: string; readonly reason: string }[];
        readonly notes: readonly string[];
      };
    };
  };
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("a pod's vSwitch and addresses", () => {
  const world = useWorld({ network });

  /** Runs a pod by crictl and looks at it by crictl. */
  async function runPod(annotations: Record<string, string>, name?: string, labels: Record<string, string> = {}) {
    const { crictl } = world();
    const config = podConfig(world(), { annotations, labels, ...(name && { metadata: { name } }) });
    const id = await crictl.run("runp", crictl.file(config));
    const { status, info } = await crictl.json<Inspection>("inspectp", id);
    const ips = [status.network.ip, ...(status.network.additionalIps ?? []).map(({ ip }) => ip)];
    return { id, ips, ...info.network };
  }

  async function refusal(annotations: Record<string, string>, name?: string): Promise<string> {
    const { crictl } = world();
    const config = podConfig(world(), { annotations, ...(name && { metadata: { name } }) });
    return unquoted(await crictl.refused("runp", crictl.file(config)));
  }

  async function removePod(id: string): Promise<void> {
    await world().crictl.run("stopp", id);
    await world().crictl.run("rmp", id);
  }

  function writeManifest(name: string, text: string): void {
    const directory = join(world().agent.instance.scratch, "manifests.d");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, name), text);
  }

  test("eci-vswitch chooses; inspectp says who chose and why the others were not it", async () => {
    const pod = await runPod({
      [annotation("eci-vswitch")]: "vsw-four",
      [annotation("eci-schedule-strategy")]: "VSwitchOrdered",
    });
    expect(pod.vswitchId).toBe("vsw-four");
    expect(pod.choice).toEqual({ source: "annotation", sourceName: "", order: "ordered", losers: [], notes: [] });
    expect(pod.ips).toHaveLength(1);
  });

  test("a full vSwitch gives way to the next in the same call, and the pod says so", async () => {
    const wishes = {
      [annotation("eci-vswitch")]: "vsw-small,vsw-four",
      [annotation("eci-schedule-strategy")]: "VSwitchOrdered",
    };
    const pods = [];
    for (let index = 0; index < 9; index++) pods.push(await runPod(wishes));
    expect(pods.map(({ vswitchId }) => vswitchId)).toEqual([...Array(8).fill("vsw-small"), "vsw-four"]);
    expect(pods.at(-1)?.choice.losers).toEqual([
      {
        vswitchId: "vsw-small",
        reason: expect.stringContaining("of 12 addresses 8 are used, 4 reserved and 0 released"),
      },
    ]);
    expect(await refusal({ [annotation("eci-vswitch")]: "vsw-small" })).toContain('vSwitch "vsw-small"');
  });

  test("eci-private-ip-address gives exactly that address; who has it is said to the next", async () => {
    const { instance } = world().agent;
    const address = `${subnet(instance, 1)}.77`;
    const wish = { [annotation("eci-private-ip-address")]: address };
    const pod = await runPod(wish, "first");
    expect(pod.ips[0]).toBe(address);
    expect(await refusal(wish)).toContain(`"${address}" is in use by pod "default/first"`);
    expect(await refusal({ [annotation("eci-private-ip-address")]: `${subnet(instance, 1)}.254` })).toContain(
      "first and last three addresses are reserved",
    );
    expect(await refusal({ [annotation("eci-private-ip-address")]: `${subnet(instance, 2)}.5` })).toContain(
      "which is reserved",
    );
    expect(await refusal({ [annotation("eci-private-ip-address")]: "192.0.2.1" })).toContain('must be in "vsw-main"');
    expect(await refusal({ [annotation("eci-private-ip-address")]: "somewhere" })).toContain(
      "must be one IPv4 address",
    );
  });

  test("eci-fixed-ip: the next pod of the name has the addresses of the one before, across a restart; nobody else gets them", async () => {
    const wish = { [annotation("eci-fixed-ip")]: "true", [annotation("eci-fixed-ip-retain-hour")]: "1" };
    const first = await runPod(wish, "db-0");
    const other = podConfig(world(), { annotations: wish, metadata: { name: "db-0", attempt: 1 } });
    const words = unquoted(await world().crictl.refused("runp", world().crictl.file(other)));
    expect(words).toContain('still in use by pod "default/db-0"');
    await removePod(first.id);
    expect(await refusal({ [annotation("eci-private-ip-address")]: first.ips[0] ?? "" })).toMatch(
      /is held for pod "default\/db-0" until \d{4}-/,
    );
    await world().agent.kill();
    await world().agent.start();
    const again = await runPod(wish, "db-0");
    expect(again.ips).toEqual(first.ips);
    expect(await refusal({ [annotation("eci-fixed-ip")]: "perhaps" })).toContain('must be "true" or "false"');
    expect(await refusal({ ...wish, [annotation("eci-fixed-ip-retain-hour")]: "0" })).toContain("1 to 8760");
  });

  test("eci-enable-ipv6: true leaves out vSwitches without IPv6, false gives no IPv6 address", async () => {
    const wish = { [annotation("eci-vswitch")]: "vsw-four,vsw-main" };
    const dual = await runPod({ ...wish, [annotation("eci-enable-ipv6")]: "true" });
    expect(dual).toMatchObject({ vswitchId: "vsw-main", ips: [expect.any(String), expect.stringContaining(":")] });
    expect(dual.choice.losers).toEqual([{ vswitchId: "vsw-four", reason: expect.stringContaining("no IPv6 range") }]);
    const single = await runPod({ [annotation("eci-enable-ipv6")]: "false" });
    expect(single).toMatchObject({ vswitchId: "vsw-main", ips: [expect.any(String)] });
  });

  test("a PodNetworking chooses for the pods it selects, the eci-profile for the others; changes hold for the next pod", async () => {
    writeManifest(
      "shop.yaml",
      `apiVersion: network.alibabacloud.com/v1beta1
kind: PodNetworking
metadata: {name: shop}
spec:
  selector: {podSelector: {matchLabels: {app: shop}}}
  vSwitchOptions: [vsw-gone, vsw-four]
`,
    );
    writeManifest(
      "profile.yaml",
      `apiVersion: v1
kind: ConfigMap
metadata: {name: eci-profile, namespace: kube-system}
data: {vSwitchIds: vsw-small}
`,
    );
    const selected = await eventually("the PodNetworking to hold", async () => {
      const pod = await runPod({}, undefined, { app: "shop" });
      if (pod.choice.source === "PodNetworking") return pod;
      await removePod(pod.id);
      return undefined;
    });
    expect(selected).toMatchObject({
      vswitchId: "vsw-four",
      choice: {
        sourceName: "shop",
        order: "ordered",
        losers: [{ vswitchId: "vsw-gone", reason: "is not configured" }],
      },
    });
    expect(await runPod({})).toMatchObject({ vswitchId: "vsw-small", choice: { source: "eci-profile" } });
    writeManifest("profile.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {\n");
    await eventually("the fault to be logged", () => world().agent.log().includes("profile.yaml:"));
    expect(await runPod({})).toMatchObject({ choice: { source: "eci-profile" } });
    rmSync(join(world().agent.instance.scratch, "manifests.d"), { recursive: true });
    await eventually("the manifests to be gone", async () => {
      const pod = await runPod({});
      await removePod(pod.id);
      return pod.choice.source === "configuration";
    });
  });
});
