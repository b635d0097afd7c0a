import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import type { TestInstance } from "../support/test-instance.ts";
import { useWorld } from "../support/world.ts";

const annotation = "k8s.aliyun.com/eci-security-group";
const server = ["/bin/httpd", "-f", "-v", "-p", "80", "-h", "/www"];
const http = { direction: "ingress", protocol: "tcp", ports: "80", source: "sg-callers" };

function network(instance: TestInstance): object {
  const vpc = "vpc-default";
  return {
    vpcs: [{ id: vpc, cidr: instance.cidr, ipv6_cidr: instance.ipv6Cidr, nat_gateway: true }],
    vswitches: [{ id: "vsw", vpc, zone: "a", cidr: instance.vswitchCidr, ipv6_cidr: instance.vswitchIpv6Cidr }],
    security_groups: [
      { id: "sg-default", vpc },
      { id: "sg-callers", vpc },
      { id: "sg-web", vpc, rules: [http] },
      { id: "sg-other", vpc },
      { id: "sg-firm", vpc, type: "enterprise" },
    ],
  };
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("a pod's security groups", () => {
  const world = useWorld({ network });
  const directory = () => join(world().agent.instance.scratch, "manifests.d");

  async function run(groups: string, command: readonly string[] = []) {
    const { crictl } = world();
    const annotations = groups === "" ? {} : { [annotation]: groups };
    const { podId, containerId } = await runContainer(world(), command, { pod: podConfig(world(), { annotations }) });
    const { status, info } = await crictl.json<{
      readonly status: { readonly network: { readonly ip: string } };
      readonly info: { readonly network: { readonly securityGroups: unknown; readonly securityGroupSource: unknown } };
    }>("inspectp", podId);
    const { securityGroups, securityGroupSource } = info.network;
    return { podId, containerId, ip: status.network.ip, securityGroups, securityGroupSource };
  }

  /** Whether the container gets the page that the server of an address has. */
  async function reaches(containerId: string, ip: string): Promise<boolean> {
    const fetch = `timeout 2 wget -q -O - http://${ip}/index.html || true`;
    return (await world().crictl.run("exec", "-s", containerId, "sh", "-c", fetch)).includes("a page from a pod");
  }

  test("eci-security-group: members of the group a rule names get in, others do not; inspectp shows the groups", async () => {
    const web = await run("sg-web", server);
    expect(web).toMatchObject({ securityGroups: ["sg-web"], securityGroupSource: "annotation" });
    const caller = await run("sg-other, sg-callers");
    const stranger = await run("sg-other");
    const plain = await run("");
    expect(plain).toMatchObject({ securityGroups: ["sg-default"], securityGroupSource: "VPC" });
    await eventually("the caller to get the page", () => reaches(caller.containerId, web.ip));
    expect(await reaches(stranger.containerId, web.ip)).toBe(false);
    expect(await reaches(plain.containerId, web.ip)).toBe(false);
  });

  test("what can't be is refused, naming the annotation, and leaves nothing", async () => {
    const { crictl } = world();
    const refusal = (groups: string) =>
      crictl.refused("runp", crictl.file(podConfig(world(), { annotations: { [annotation]: groups } })));
    expect(await refusal("sg-nowhere")).toContain(`Invalid annotation ${annotation}`);
    expect(await refusal("a,b,c,d,e,f")).toContain("at most 5 security groups");
    expect(await refusal("sg-web,sg-firm")).toContain("of one type");
  });

  test("a manifest changes a group under running pods, across a restart too, and without it the configuration holds again", async () => {
    const web = await run("sg-web", server);
    const stranger = await run("sg-other");
    const caller = await run("sg-callers");
    await eventually("the caller to get the page", () => reaches(caller.containerId, web.ip));
    mkdirSync(directory(), { recursive: true });
    writeFileSync(
      join(directory(), "web.yaml"),
      `apiVersion: podling.dev/v1
kind: SecurityGroup
metadata: {name: sg-web}
spec:
  vpc: vpc-default
  rules:
  - {direction: ingress, protocol: tcp, ports: "80", source: sg-other}
  - {direction: ingress, source: sg-callers, policy: drop}
`,
    );
    await eventually("the stranger to get the page", () => reaches(stranger.containerId, web.ip));
    expect(await reaches(caller.containerId, web.ip)).toBe(false);
    await world().agent.kill();
    await world().agent.start();
    expect(await reaches(stranger.containerId, web.ip)).toBe(true);
    expect(await reaches(caller.containerId, web.ip)).toBe(false);
    rmSync(directory(), { recursive: true });
    await eventually("the caller to get the page again", () => reaches(caller.containerId, web.ip));
    expect(await reaches(stranger.containerId, web.ip)).toBe(false);
  });
});
