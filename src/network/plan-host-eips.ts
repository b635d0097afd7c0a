import { hostNetns, type KernelCommand } from "../system/kernel-command.ts";
import type { EniRecord } from "./eni-record.ts";
import { hostTable } from "./host-table.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

/** Addresses of the internet that lead through the host to a router. */
export const eipSet = "eips";

type Holder = Pick<EniRecord, "network">;

/** Leads an ENI's EIP to its router, and lets its packets cross the host. Done already is done. */
export function planHostEip(instance: string, router: VpcRouterSpec, { network }: Holder): readonly KernelCommand[] {
  if (network.eip === undefined) return [];
  return [
    // Turned on only: others may rely on forwarding by the time we stop.
    { kind: "sysctls", netns: hostNetns, values: { "net/ipv4/ip_forward": "1" } },
    edit(instance, network.eip.address, ["add"]),
    planEipRoutes(router, [network.eip.address]),
  ];
}

/** Takes an EIP off the host; off already is off. */
export function planHostEipRemoval(
  instance: string,
  { hostLink, addresses }: VpcRouterSpec,
  { network }: Holder,
): readonly KernelCommand[] {
  if (network.eip === undefined) return [];
  // Adding before deleting makes the deletion of something absent succeed, within one transaction.
  const table = { ...edit(instance, network.eip.address, ["add", "delete"]), ignore: ["ENOENT"] };
  const route = { gateway: addresses.router.ipv4, link: hostLink };
  const requests = [{ kind: "deleteRoute", destination: `${network.eip.address}/32`, ...route }] as const;
  return [table, { kind: "links", netns: hostNetns, requests, ignore: ["ESRCH", "ENODEV"] }];
}

/** Leads addresses to a router. */
export function planEipRoutes(
  { hostLink, addresses }: VpcRouterSpec,
  eips: readonly string[],
): Extract<KernelCommand, { kind: "links" }> {
  const { router, host } = addresses;
  const requests = eips.map((eip) => {
    const via = { gateway: router.ipv4, source: host.ipv4, link: hostLink };
    return { kind: "addRoute" as const, destination: `${eip}/32`, ...via };
  });
  return { kind: "links", netns: hostNetns, requests };
}

/** The addresses a router's SNAT entries leave with. */
export function snatAddresses({ vpc }: Pick<VpcRouterSpec, "vpc">): readonly string[] {
  return [...new Set(vpc.snatEntries.flatMap(({ address }) => address ?? []))];
}

function edit(instance: string, address: string, changes: readonly ("add" | "delete")[]) {
  const lines = changes.map((change) => `${change} element inet ${hostTable(instance)} ${eipSet} { ${address} }`);
  return { kind: "nftables", netns: hostNetns, commands: `${lines.join("\n")}\n` } as const;
}
