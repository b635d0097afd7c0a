import { hostNetns, type KernelCommand } from "../system/kernel-command.ts";
import type { EniRecord } from "./eni-record.ts";
import { familiesOf, isWildcard } from "./host-port.ts";
import { hostTable } from "./host-table.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

type Holder = Pick<EniRecord, "hostPorts" | "network">;

/** Maps from what a packet is sent to, to the pod and port it is for: by protocol and port, or by address as well. */
const maps = ["host_ports4", "host_ports6", "address_ports4", "address_ports6"] as const;

/**
 * The maps and chains of host ports in the host's table, as nft commands, with what the holders have. Nobody outside
 * gets to a port of 127.0.0.1 by sending to that address. IPv6 has no route_localnet: a connection to ::1 could be
 * translated but never answered, so it is left to be refused.
 */
export function hostPortRules(table: string, holders: readonly Holder[]): string {
  const dnat = (chain: string) => `
add rule ${table} ${chain} dnat ip to ip daddr . meta l4proto . th dport map @address_ports4
add rule ${table} ${chain} dnat ip6 to ip6 daddr . meta l4proto . th dport map @address_ports6
add rule ${table} ${chain} meta nfproto ipv4 fib daddr type local dnat ip to meta l4proto . th dport map @host_ports4
add rule ${table} ${chain} meta nfproto ipv6 fib daddr type local dnat ip6 to meta l4proto . th dport map @host_ports6`;
  return `
add map ${table} host_ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
add map ${table} host_ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
add map ${table} address_ports4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
add map ${table} address_ports6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
add chain ${table} to_host_port { type nat hook prerouting priority -100; policy accept; }
add chain ${table} to_host_port_locally { type nat hook output priority -100; policy accept; }
add rule ${table} to_host_port ip daddr 127.0.0.0/8 return
add rule ${table} to_host_port_locally ip6 daddr ::1 return
${dnat("to_host_port")}
${dnat("to_host_port_locally")}
${holders
  .flatMap(elements)
  .map(({ map, element }) => `add element ${table} ${map} { ${element} }`)
  .join("\n")}`;
}

/**
 * Opens a pod's host ports, once the pod can be reached. 127.0.0.1 leads to it as well: on the router's link, and only
 * there, the kernel lets loopback addresses be translated.
 */
export function planHostPorts(instance: string, router: VpcRouterSpec, eni: Holder): readonly KernelCommand[] {
  const found = elements(eni);
  if (found.length === 0) return [];
  return [...planHostPortSysctls(router), edit(instance, found, ["add"])];
}

/** What the host's kernel needs for any host port. Turned on only: others may rely on forwarding by the time we stop. */
export function planHostPortSysctls(router: VpcRouterSpec): readonly KernelCommand[] {
  const values = { "net/ipv4/ip_forward": "1", [`net/ipv4/conf/${router.hostLink}/route_localnet`]: "1" };
  return [{ kind: "sysctls", netns: hostNetns, values }];
}

/** Closes a pod's host ports; closed already is closed. */
export function planHostPortsRemoval(instance: string, eni: Holder): readonly KernelCommand[] {
  const found = elements(eni);
  // Adding before deleting makes the deletion of something absent succeed, within one transaction.
  return found.length === 0 ? [] : [{ ...edit(instance, found, ["add", "delete"]), ignore: ["ENOENT"] }];
}

function edit(instance: string, found: readonly Element[], changes: readonly ("add" | "delete")[]) {
  const table = `inet ${hostTable(instance)}`;
  const lines = changes.flatMap((change) =>
    found.map(({ map, element }) => `${change} element ${table} ${map} { ${element} }`),
  );
  return { kind: "nftables", netns: hostNetns, commands: `${lines.join("\n")}\n` } as const;
}

interface Element {
  readonly map: (typeof maps)[number];
  readonly element: string;
}

function elements({ hostPorts = [], network }: Holder): readonly Element[] {
  return hostPorts.flatMap((port) =>
    familiesOf(port).flatMap((family): readonly Element[] => {
      const pod = family === 4 ? network.ipv4 : network.ipv6;
      if (pod === undefined) return [];
      const wildcard = isWildcard(port);
      const key = [...(wildcard ? [] : [port.hostIp]), port.protocol, port.hostPort].join(" . ");
      const map = `${wildcard ? "host" : "address"}_ports${family}` as const;
      return [{ map, element: `${key} : ${pod} . ${port.containerPort}` }];
    }),
  );
}
