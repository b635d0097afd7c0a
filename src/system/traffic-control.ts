import type { BpfInstruction, HtbClass, Queue } from "./kernel-command.ts";
import { attribute, attributeText, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, nested } from "./netlink-message.ts";
import type { NetlinkRequestBody } from "./netlink-socket.ts";

/**
 * Queues, classes and filters of links as rtnetlink requests (tc(8)). Numbers and structures are those of
 * linux/rtnetlink.h, pkt_sched.h, pkt_cls.h and tc_act/tc_mirred.h.
 */

const newQueue = 36;
const newClass = 40;
const newFilter = 44;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TC_H_ROOT = 0xffff_ffff;
const TC_H_INGRESS = 0xffff_fff1;
const ingressHandle = 0xffff_0000;
const TCA_HTB_PARMS = 1;
const TCA_HTB_INIT = 2;
const htbVersion = 3;
const rateToQuantum = 10;
const TC_LINKLAYER_ETHERNET = 1;
/** Times are told to the kernel in ticks of 64 ns (PSCHED_SHIFT). */
const tickNs = 64;
/** How much a class sends before it is another's turn: one large packet. */
const quantumBytes = 65_536;
const TCA_BPF_ACT = 1;
const TCA_BPF_OPS_LEN = 4;
const TCA_BPF_OPS = 5;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
/** ETH_P_ALL in network order. */
const everyProtocol = 0x0300;
const filterPriority = 1;
const filterHandle = 1;

/** A handle such as "1:10", of hexadecimal numbers as tc(8) has it. */
function tcHandle(major: number, minor: number): number {
  return major * 0x1_0000 + minor;
}

/** Refuses, with EEXIST, to put a queue where one of this handle is already. */
export function addQueueRequest(linkIndex: number, queue: Queue): NetlinkRequestBody {
  const { handle, parent, options } = queueParts(queue);
  return {
    type: newQueue,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    parts: [tcHeader(linkIndex, handle, parent, 0), attributeText(TCA_KIND, queue.type), ...options],
  };
}

function queueParts(queue: Queue): { handle: number; parent: number; options: readonly Buffer[] } {
  switch (queue.type) {
    case "htb": {
      const init = Buffer.alloc(20);
      init.writeUInt32LE(htbVersion, 0);
      init.writeUInt32LE(rateToQuantum, 4);
      init.writeUInt32LE(queue.defaultClass, 8);
      return {
        handle: tcHandle(1, 0),
        parent: TC_H_ROOT,
        options: [nested(TCA_OPTIONS, attribute(TCA_HTB_INIT, init))],
      };
    }
    case "bfifo": {
      const limit = Buffer.alloc(4);
      limit.writeUInt32LE(queue.limitBytes, 0);
      const parent = tcHandle(1, queue.class);
      return { handle: tcHandle(queue.class, 0), parent, options: [attribute(TCA_OPTIONS, limit)] };
    }
    case "ingress":
      return { handle: ingressHandle, parent: TC_H_INGRESS, options: [] };
    default:
      return queue satisfies never;
  }
}

/** Makes a class, or changes it while packets pass. */
export function setClassRequest(linkIndex: number, htb: HtbClass): NetlinkRequestBody {
  const options = Buffer.alloc(44);
  writeRate(options, 0, htb.rateBytes);
  writeRate(options, 12, htb.ceilBytes);
  options.writeUInt32LE(ticks(htb.burstBytes, htb.rateBytes), 24);
  options.writeUInt32LE(ticks(htb.burstBytes, htb.ceilBytes), 28);
  options.writeUInt32LE(quantumBytes, 32);
  return {
    type: newClass,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: [
      tcHeader(linkIndex, tcHandle(1, htb.minor), tcHandle(1, htb.parent), 0),
      attributeText(TCA_KIND, "htb"),
      nested(TCA_OPTIONS, attribute(TCA_HTB_PARMS, options)),
    ],
  };
}

/**
 * Puts a classic BPF program in charge of what passes: of a queue's packets its answer is the class; what arrives, it
 * sends to another link if it answers -1.
 * @param redirectTo index of that link; undefined: the filter is the htb queue's
 */
export function setFilterRequest(
  linkIndex: number,
  program: readonly BpfInstruction[],
  redirectTo: number | undefined,
): NetlinkRequestBody {
  const operations = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, value]] of program.entries()) {
    operations.writeUInt16LE(code, index * 8);
    operations.writeUInt8(jumpTrue, index * 8 + 2);
    operations.writeUInt8(jumpFalse, index * 8 + 3);
    operations.writeUInt32LE(value, index * 8 + 4);
  }
  const length = Buffer.alloc(2);
  length.writeUInt16LE(program.length, 0);
  const parent = redirectTo === undefined ? tcHandle(1, 0) : ingressHandle;
  return {
    type: newFilter,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: [
      tcHeader(linkIndex, filterHandle, parent, filterPriority * 0x1_0000 + everyProtocol),
      attributeText(TCA_KIND, "bpf"),
      nested(
        TCA_OPTIONS,
        attribute(TCA_BPF_OPS_LEN, length),
        attribute(TCA_BPF_OPS, operations),
        ...(redirectTo === undefined ? [] : [redirection(redirectTo)]),
      ),
    ],
  };
}

function redirection(linkIndex: number): Buffer {
  const mirred = Buffer.alloc(28);
  mirred.writeInt32LE(TC_ACT_STOLEN, 8);
  mirred.writeInt32LE(TCA_EGRESS_REDIR, 20);
  mirred.writeUInt32LE(linkIndex, 24);
  const options = nested(TCA_ACT_OPTIONS, attribute(TCA_MIRRED_PARMS, mirred));
  return nested(TCA_BPF_ACT, nested(1, attributeText(TCA_ACT_KIND, "mirred"), options));
}

/** struct tc_ratespec; with the link layer told the kernel wants no table of rates. */
function writeRate(target: Buffer, offset: number, bytes: number): void {
  target.writeUInt8(TC_LINKLAYER_ETHERNET, offset + 1);
  target.writeUInt32LE(Math.min(bytes, 0xffff_ffff), offset + 8);
}

function ticks(bytes: number, rateBytes: number): number {
  return Math.min(0xffff_ffff, Math.max(1, Math.ceil((bytes * 1e9) / rateBytes / tickNs)));
}

/** struct tcmsg. */
function tcHeader(linkIndex: number, handle: number, parent: number, info: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeInt32LE(linkIndex, 4);
  header.writeUInt32LE(handle, 8);
  header.writeUInt32LE(parent, 12);
  header.writeUInt32LE(info, 16);
  return header;
}
