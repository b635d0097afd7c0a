import type { BpfInstruction, HtbClass, KernelCommand, LinkRequest } from "../system/kernel-command.ts";
import type { Cidr } from "./cidr.ts";
import type { EniRecord } from "./eni-record.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

/** Bits per second that an ENI may carry; what is absent is not limited. */
export interface EniLimits {
  /** To the pod, and from it, wherever the other end is. */
  readonly ingress?: number;
  readonly egress?: number;
  /** To and from the internet, in each direction: IPv4 by the pod's own EIP, and IPv6. */
  readonly internet4?: number;
  readonly internet6?: number;
}

/** Above what the kernel's 32 bits of bytes per second hold, nothing is limited: 32 Gbit/s. */
const unlimitedBytes = 4_000_000_000;
/** A packet as large as the kernel builds them, and what a timer that comes late makes up for. */
const leastBurstBytes = 65_536;
const burstSeconds = 1 / 100;
/** How long a packet may wait. */
const queueSeconds = 0.1;
const [leastQueueBytes, mostQueueBytes] = [131_072, 16_777_216];
const minors = { all: 1, rest: 2, internet4: 0x10, internet6: 0x11 } as const;
/** Of BPF (linux/filter.h): load a word or half word, and, jump if equal, return. */
const op = { load: 0x20, loadHalf: 0x28, and: 0x54, jumpIfEqual: 0x15, answer: 0x06 } as const;
const everything: readonly BpfInstruction[] = [[op.answer, 0, 0, 0xffff_ffff]];

/** The link whose queue holds back what a pod sends. */
export function shapingLink(eniLink: string): string {
  return `ifb${eniLink.slice("eni".length)}`;
}

/** Whether an ENI has such a link. */
export function hasShapingLink({ egress, internet4, internet6 }: EniLimits = {}): boolean {
  return [egress, internet4, internet6].some((limit) => limit !== undefined);
}

/**
 * Holds an ENI to its limits, at the router's end, where the pod can't undo it; harmless where it is done already. What
 * goes to the pod waits in the queue of the ENI's link. What comes from it is sent through a link of its own, for a
 * link has no queue for what arrives.
 */
export function planShaping(router: VpcRouterSpec, alias: string, eni: EniRecord): readonly KernelCommand[] {
  const { limits } = eni.network;
  if (limits === undefined) return [];
  const { ingress, egress, internet4, internet6 } = limits;
  const internet = { ...(internet4 && { internet4 }), ...(internet6 && { internet6 }) };
  const requests: LinkRequest[] = [];
  if (ingress !== undefined || hasShapingLink(internet)) {
    requests.push(...queueRequests(eni.linkName, ingress, internet, outsideProgram(router, "source")));
  }
  if (hasShapingLink(limits)) {
    const link = shapingLink(eni.linkName);
    requests.push(
      { kind: "addIfb", name: link, alias },
      { kind: "setLink", link, up: true, alias },
      ...queueRequests(link, egress, internet, outsideProgram(router, "destination")),
      { kind: "addQueue", link: eni.linkName, queue: { type: "ingress" } },
      { kind: "setFilter", link: eni.linkName, program: everything, redirectTo: link },
    );
  }
  return [{ kind: "links", netns: router.netns, requests, ignore: ["EEXIST"] }];
}

/** One class for all, and below it one for the rest and one for each limit of the internet, which borrow from it. */
function queueRequests(
  link: string,
  limit: number | undefined,
  internet: Pick<EniLimits, "internet4" | "internet6">,
  program: readonly BpfInstruction[],
): readonly LinkRequest[] {
  const total = bytesOf(limit);
  const leaves = [
    { minor: minors.rest, ceilBytes: total },
    ...(["internet4", "internet6"] as const).flatMap((name) =>
      internet[name] === undefined
        ? []
        : [{ minor: minors[name], ceilBytes: Math.min(total, bytesOf(internet[name])) }],
    ),
  ];
  // What leaves have for themselves they take whatever their parent has left, so it is next to nothing.
  const classes: readonly HtbClass[] = [
    { minor: minors.all, parent: 0, rateBytes: total, ceilBytes: total, burstBytes: burst(total) },
    ...leaves.map(({ minor, ceilBytes }) => ({
      minor,
      parent: minors.all,
      rateBytes: Math.max(1, Math.floor(ceilBytes / 100)),
      ceilBytes,
      burstBytes: burst(ceilBytes),
    })),
  ];
  return [
    { kind: "addQueue", link, queue: { type: "htb", defaultClass: minors.rest } },
    ...classes.map((htb): LinkRequest => ({ kind: "setClass", link, class: htb })),
    ...leaves.map(
      ({ minor, ceilBytes }): LinkRequest => ({
        kind: "addQueue",
        link,
        queue: { type: "bfifo", class: minor, limitBytes: queueBytes(ceilBytes) },
      }),
    ),
    ...(hasShapingLink(internet) ? [{ kind: "setFilter" as const, link, program }] : []),
  ];
}

/**
 * Sorts packets by an address: those inside the VPC's ranges are the rest (answer 0), others the internet's. Where a
 * family has no class of its own, its packets are the rest too, as htb knows no class of that number.
 */
function outsideProgram({ vpc }: VpcRouterSpec, which: "source" | "destination"): readonly BpfInstruction[] {
  const [at4, at6] = which === "source" ? [26, 22] : [30, 38];
  const answer = (minor: number): BpfInstruction => [op.answer, 0, 0, minor === 0 ? 0 : 0x1_0000 + minor];
  const ipv6 = [
    ...(vpc.ipv6Cidr === undefined ? [] : insideTest(vpc.ipv6Cidr, at6)),
    answer(minors.internet6),
    answer(0),
  ];
  const ipv4 = [...insideTest(vpc.cidr, at4), answer(minors.internet4), answer(0)];
  return [
    [op.loadHalf, 0, 0, 12],
    [op.jumpIfEqual, 2, 0, 0x0800],
    [op.jumpIfEqual, ipv4.length + 1, 0, 0x86dd],
    answer(0),
    ...ipv4,
    ...ipv6,
  ];
}

/** Goes to the last instruction but one after itself if an address is outside a range, to the last if it is inside. */
function insideTest(cidr: Cidr, offset: number): readonly BpfInstruction[] {
  const words = cidr.family === 4 ? 1 : Math.ceil(cidr.prefixLength / 32);
  const bits = cidr.family === 4 ? 32 : 128;
  return Array.from({ length: words }, (_, index) => {
    const length = Math.min(32, cidr.prefixLength - index * 32);
    const mask = length === 32 ? 0xffff_ffff : (0xffff_ffff << (32 - length)) >>> 0;
    const value = Number((cidr.first >> BigInt(bits - 32 * (index + 1))) & 0xffff_ffffn);
    const last = index === words - 1;
    const outside = (words - 1 - index) * 3;
    return [
      [op.load, 0, 0, offset + index * 4],
      [op.and, 0, 0, mask],
      [op.jumpIfEqual, last ? 1 : 0, outside, value],
    ] as const;
  }).flat();
}

function bytesOf(bits: number | undefined): number {
  return bits === undefined ? unlimitedBytes : Math.min(unlimitedBytes, Math.max(1, Math.floor(bits / 8)));
}

function burst(rateBytes: number): number {
  return Math.max(leastBurstBytes, Math.ceil(rateBytes * burstSeconds));
}

function queueBytes(rateBytes: number): number {
  return Math.min(mostQueueBytes, Math.max(leastQueueBytes, Math.ceil(rateBytes * queueSeconds)));
}
