import { describe, expect, test } from "vitest";
import type { SecurityGroup } from "../../src/manifests/security-group.ts";
import { outsideRange } from "../support/own-numbers.ts";
import { NetworkBed, randomSettings } from "./network-bed.ts";
import { FakeInternet } from "./network-servers.ts";
import { throughput } from "./throughput.ts";

const open: SecurityGroup = {
  id: "sg-open",
  vpcId: "vpc-t",
  type: "basic",
  intranet: "accept",
  rules: [{ direction: "ingress", policy: "accept", protocol: "all", ports: [], peer: "all", priority: 1 }],
};

/** A limit counts the packets' headers, which are a twentieth of them. */
function expectWithinTenPercent(measured: number, limit: number): void {
  expect(measured).toBeGreaterThan(limit * 0.9);
  expect(measured).toBeLessThan(limit * 1.1);
}

describe("bandwidth", () => {
  test.each([8, 40, 200])("of %i Mbit/s in and out holds within 10 %", async (limit) => {
    await using bed = new NetworkBed({ ...randomSettings(), securityGroups: [open] });
    await bed.vpc.start(bed.live);
    const limited = await bed.addPod({
      "kubernetes.io/ingress-bandwidth": `${limit}M`,
      "kubernetes.io/egress-bandwidth": `${limit * 2}M`,
    });
    const free = await bed.addPod();
    const inward = { from: free.netns, to: limited.netns, listen: limited.network.ipv4, port: 9000 };
    expectWithinTenPercent(await throughput(inward), limit);
    const outward = { from: limited.netns, to: free.netns, listen: free.network.ipv4, port: 9000 };
    expectWithinTenPercent(await throughput(outward), limit * 2);
    const outward6 = { ...outward, listen: free.network.ipv6 ?? "" };
    expectWithinTenPercent(await throughput(outward6), limit * 2);
  });

  test("of an EIP holds to and from the internet within 10 %, and not inside the VPC", async () => {
    const limit = 20;
    const range = outsideRange();
    await using bed = new NetworkBed({
      ...randomSettings(),
      securityGroups: [open],
      eipPools: [{ id: "pippool-a", cidr: `${range}.0/24`, isp: "BGP" }],
    });
    await bed.vpc.start(bed.live);
    const pod = await bed.addPod({
      "k8s.aliyun.com/eci-with-eip": "true",
      "k8s.aliyun.com/eip-bandwidth": String(limit),
    });
    const neighbour = await bed.addPod();
    using internet = new FakeInternet();
    internet.route(`${range}.0/24`);
    const eip = pod.network.eip?.address ?? "";
    const port = 9000;
    const out = { from: pod.netns, to: internet.netns, listen: internet.address, port };
    expectWithinTenPercent(await throughput(out), limit);
    const into = { from: internet.netns, to: pod.netns, listen: pod.network.ipv4, connect: eip, port };
    expectWithinTenPercent(await throughput(into), limit);
    const inside = { from: pod.netns, to: neighbour.netns, listen: neighbour.network.ipv4, port };
    expect(await throughput(inside)).toBeGreaterThan(limit * 5);
  });
});
