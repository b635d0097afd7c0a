import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import { check, errnoName, libc } from "./libc.ts";
import {
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseFailure,
  splitMessages,
} from "./netlink-message.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;
/** A kernel answer takes microseconds; half a minute is a bug we must not hang on. */
const receiveTimeoutSeconds = 30;
/** The kernel's dumps come in pieces of at most 32 KiB. */
const receiveBuffer = Buffer.alloc(128 * 1024);
const maxDumpTries = 8;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** Everything about a request but its sequence number. */
export interface NetlinkRequestBody {
  readonly type: number;
  readonly flags: number;
  readonly parts: readonly Uint8Array[];
}

/**
 * A netlink socket. It belongs for ever to the network namespace its thread was in when it was opened, so it can be
 * used from any other. Calls are synchronous: use it on a worker thread.
 */
export class NetlinkSocket implements Disposable {
  readonly #fd: number;
  #sequence = 0;
  #open = true;

  /** @throws SystemError */
  constructor(protocol: number) {
    this.#fd = check(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "open a netlink socket");
    try {
      const address = Buffer.alloc(12);
      address.writeUInt16LE(AF_NETLINK, 0);
      check(libc.bind(this.#fd, address, address.length), "bind a netlink socket");
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(BigInt(receiveTimeoutSeconds), 0);
      this.#option(SOL_SOCKET, SO_RCVTIMEO, timeout);
      this.#option(SOL_SOCKET, SO_RCVBUF, u32(1 << 20));
      this.#option(SOL_NETLINK, NETLINK_CAP_ACK, u32(1));
      this.#option(SOL_NETLINK, NETLINK_EXT_ACK, u32(1));
      this.#option(SOL_NETLINK, NETLINK_GET_STRICT_CHK, u32(1));
    } catch (error) {
      libc.close(this.#fd);
      throw error;
    }
  }

  /**
   * Sends one request and waits for its acknowledgement.
   * @param step what it is for, in the error's words
   * @throws SystemError with the errno and the kernel's explanation
   */
  change(step: string, request: NetlinkRequestBody): void {
    const sequence = this.#send(step, request, NLM_F_ACK);
    for (const message of this.#receive(step, sequence)) {
      if (message.type !== NLMSG_ERROR) continue;
      throwFailure(step, message);
      return;
    }
  }

  /** Sends a request that one message answers. @throws SystemError */
  ask(step: string, request: NetlinkRequestBody): NetlinkMessage {
    const sequence = this.#send(step, request, NLM_F_ACK);
    let answer: NetlinkMessage | undefined;
    for (const message of this.#receive(step, sequence)) {
      if (message.type !== NLMSG_ERROR) {
        answer = { ...message, body: Buffer.from(message.body) };
        continue;
      }
      throwFailure(step, message);
      break;
    }
    if (answer === undefined) throw new SystemError(`${step}: the kernel gave no answer`);
    return answer;
  }

  /** All messages of a dump, taken again when the table changed underneath. @throws SystemError */
  dump(step: string, request: NetlinkRequestBody): readonly NetlinkMessage[] {
    for (let attempt = 0; attempt < maxDumpTries; attempt++) {
      const sequence = this.#send(step, request, NLM_F_DUMP);
      const messages: NetlinkMessage[] = [];
      let interrupted = false;
      for (const message of this.#receive(step, sequence)) {
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR) throwFailure(step, message);
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) break;
        messages.push({ ...message, body: Buffer.from(message.body) });
      }
      if (!interrupted) return messages;
    }
    throw new SystemError(`${step}: the table kept changing during ${maxDumpTries} dumps`, { errno: "EINTR" });
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    libc.close(this.#fd);
  }

  #send(step: string, request: NetlinkRequestBody, flags: number): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const message = encodeMessage(request.type, request.flags | flags, this.#sequence, request.parts);
    check(Number(libc.send(this.#fd, message, message.length, 0)), step);
    return this.#sequence;
  }

  /** Messages that answer the sequence number, for as long as the caller asks for more. */
  *#receive(step: string, sequence: number): Generator<NetlinkMessage> {
    for (;;) {
      const length = Number(libc.recv(this.#fd, receiveBuffer, receiveBuffer.length, MSG_TRUNC));
      if (length < 0) {
        const errno = errnoName(koffi.errno());
        if (errno === "EINTR") continue;
        throw new SystemError(`${step}: no answer from the kernel: ${errno}`, { errno });
      }
      if (length > receiveBuffer.length) throw new SystemError(`${step}: an answer of ${length} bytes is too long`);
      // An answer to an earlier request that failed half-way may still be in the queue.
      for (const message of splitMessages(receiveBuffer.subarray(0, length))) {
        if (message.sequence === sequence) yield message;
      }
    }
  }

  #option(level: number, name: number, value: Buffer): void {
    check(libc.setsockopt(this.#fd, level, name, value, value.length), `set netlink socket option ${name}`);
  }
}

function throwFailure(step: string, message: NetlinkMessage): void {
  const failure = parseFailure(message);
  if (failure.errno === 0) return;
  const errno = errnoName(failure.errno);
  throw new SystemError(`${step}: ${errno}${failure.text === "" ? "" : ` (${failure.text})`}`, { errno });
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
