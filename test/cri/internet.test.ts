import { describe, expect, test } from "vitest";
import { connectFrom } from "../kernel/network-bed.ts";
import { FakeInternet, NetworkServers } from "../kernel/network-servers.ts";
import { eventually } from "../support/eventually.ts";
import { outsideRange } from "../support/own-numbers.ts";
import { podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import type { TestInstance } from "../support/test-instance.ts";
import { useWorld } from "../support/world.ts";

const key = (name: string) => `k8s.aliyun.com/${name}`;
const range = outsideRange();

function network(instance: TestInstance): object {
  const vpc = "vpc-default";
  return {
    vpcs: [
      {
        id: vpc,
        cidr: instance.cidr,
        ipv6_cidr: instance.ipv6Cidr,
        nat_gateway: true,
        snat_entries: [{ source: "vsw-nat", eip: "eip-nat" }],
      },
    ],
    vswitches: [
      {
        id: "vsw",
        vpc,
        zone: "a",
        cidr: instance.cidr.replace(/0\.0\/16$/, "1.0/24"),
        ipv6_cidr: instance.vswitchIpv6Cidr,
      },
      { id: "vsw-nat", vpc, zone: "a", cidr: instance.cidr.replace(/0\.0\/16$/, "2.0/24") },
    ],
    security_groups: [{ id: "sg-default", vpc, rules: [{ direction: "ingress", protocol: "tcp", ports: "80" }] }],
    eips: [
      { id: "eip-web", address: `${range}.200`, bandwidth: 20 },
      { id: "eip-nat", address: `${range}.201` },
    ],
    eip_pools: [{ id: "pippool-a", cidr: `${range}.0/29` }],
  };
}

interface ShownNetwork {
  readonly ipv4: string;
  readonly eip?: {
    readonly id: string;
    readonly address: string;
    readonly bandwidthMbps: number;
    readonly created: boolean;
  };
  readonly ipv6Internet?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("a pod's way to the internet", () => {
  const world = useWorld({ network });

  async function run(annotations: Record<string, string>) {
    const pod = podConfig(world(), { annotations: { [key("eci-vswitch")]: "vsw", ...annotations } });
    const { podId, containerId } = await runContainer(world(), ["/bin/httpd", "-f", "-p", "80", "-h", "/www"], { pod });
    const { info } = await world().crictl.json<{ readonly info: { readonly network: ShownNetwork } }>(
      "inspectp",
      podId,
    );
    return { podId, containerId, network: info.network };
  }

  const refusal = (annotations: Record<string, string>) =>
    world().crictl.refused("runp", world().crictl.file(podConfig(world(), { annotations })));

  /** What a server of the internet that tells its callers' addresses says to a container. */
  const seen = (containerId: string, address: string, port: number) =>
    world().crictl.run("exec", "-s", containerId, "sh", "-c", `timeout 3 nc ${address} ${port} </dev/null || true`);

  test("eci-eip-instanceid binds a declared EIP, eci-with-eip makes one with eip-bandwidth; both lead in and out, and go with the pod", async () => {
    const bound = await run({ [key("eci-eip-instanceid")]: "eip-web" });
    const created = await run({ [key("eci-with-eip")]: "true", [key("eip-bandwidth")]: "10" });
    expect(bound.network).toMatchObject({
      eip: { id: "eip-web", address: `${range}.200`, bandwidthMbps: 20, created: false },
      limits: { internet4: 20_000_000 },
    });
    expect(created.network).toMatchObject({
      eip: { bandwidthMbps: 10, created: true },
      limits: { internet4: 10_000_000 },
    });
    const eip = created.network.eip?.address ?? "";
    using internet = new FakeInternet();
    internet.route(`${range}.0/24`);
    using servers = new NetworkServers();
    await servers.listen(internet.netns, internet.address, 8080);
    for (const [pod, address] of [
      [bound, `${range}.200`],
      [created, eip],
    ] as const) {
      expect(await seen(pod.containerId, internet.address, 8080)).toBe(address);
      await eventually("the pod's server", () => !/^failed 111/.test(connectFrom(internet.netns, address, 80)));
      expect(connectFrom(internet.netns, address, 8081)).toBe("failed timeout");
    }
    expect(await refusal({ [key("eci-eip-instanceid")]: "eip-web" })).toContain("is in use by pod");
    expect(await refusal({ [key("eci-eip-instanceid")]: "eip-nat" })).toContain("a NAT gateway");
    await world().agent.kill();
    await world().agent.start();
    expect(await seen(created.containerId, internet.address, 8080)).toBe(eip);
    await world().crictl.run("stopp", created.podId);
    expect(connectFrom(internet.netns, eip, 80)).toMatch(/^failed/);
  });

  test("an SNAT entry gives its vSwitch's pods the EIP it names; others have no internet", async () => {
    const inside = await run({ [key("eci-vswitch")]: "vsw-nat" });
    const outside = await run({});
    using internet = new FakeInternet();
    internet.route(`${range}.0/24`);
    using servers = new NetworkServers();
    await servers.listen(internet.netns, internet.address, 8080);
    expect(await seen(inside.containerId, internet.address, 8080)).toBe(`${range}.201`);
    expect(await seen(outside.containerId, internet.address, 8080)).toContain("Network is unreachable");
  });

  test("eci-ipv6-bandwidth-enable opens the pod's IPv6 address, eci-ipv6-bandwidth limits it", async () => {
    const open = await run({ [key("eci-ipv6-bandwidth-enable")]: "true", [key("eci-ipv6-bandwidth")]: "100M" });
    const shut = await run({});
    expect(open.network).toMatchObject({ ipv6Internet: true, limits: { internet6: 100_000_000 } });
    using internet = new FakeInternet();
    using servers = new NetworkServers();
    await servers.listen(internet.netns, internet.ipv6, 8080);
    expect(await seen(open.containerId, internet.ipv6, 8080)).toBe(internet.hostIpv6);
    expect(await seen(shut.containerId, internet.ipv6, 8080)).toContain("Network is unreachable");
  });

  test("kubernetes.io/ingress-bandwidth and egress-bandwidth are shown; what is wrong is refused with the annotation's name", async () => {
    const pod = await run({ "kubernetes.io/ingress-bandwidth": "40M", "kubernetes.io/egress-bandwidth": "20M" });
    expect(pod.network.limits).toEqual({ ingress: 40_000_000, egress: 20_000_000 });
    for (const name of ["kubernetes.io/ingress-bandwidth", key("eci-with-eip"), key("eci-ipv6-bandwidth")]) {
      expect(await refusal({ [name]: "much" })).toContain(`Invalid annotation ${name}`);
    }
    expect(await refusal({ [key("eci-with-eip")]: "true", [key("eip-isp")]: "X" })).toContain("eip-isp");
    expect(await refusal({ [key("eci-with-eip")]: "true", [key("eip-isp")]: "BGP_PRO" })).toContain(
      "has no pool of isp",
    );
  });
});
