/**
 * The framing all netlink families share (netlink(7)): a 16-byte header, a family's fixed body, then attributes as
 * length, type and value, each padded to 4 bytes. Numbers are in host order; every machine Podling runs on is
 * little-endian.
 */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** Flags of an error message, which reuse the bits of requests. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
/** Marks an attribute that holds attributes, which strict kernels ask for. */
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const headerLength = 16;

/** One message as received; `body` starts after the header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** What an NLMSG_ERROR says. */
export interface NetlinkFailure {
  /** Positive errno; 0 is an acknowledgement. */
  readonly errno: number;
  /** The kernel's own words (NLMSGERR_ATTR_MSG), or "". */
  readonly text: string;
}

/** One attribute with its padding. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const out = Buffer.alloc((4 + value.length + 3) & ~3);
  out.writeUInt16LE(4 + value.length, 0);
  out.writeUInt16LE(type, 2);
  out.set(value, 4);
  return out;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...inner: readonly Uint8Array[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(inner));
}

export function attributeU32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return attribute(type, bytes);
}

export function attributeU64(type: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value, 0);
  return attribute(type, bytes);
}

/** NUL-terminated text, as names of links and link kinds are. */
export function attributeText(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`));
}

/** A whole request. The sequence number comes back in every answer to it. */
export function encodeMessage(type: number, flags: number, sequence: number, parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(headerLength);
  const message = Buffer.concat([header, ...parts]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags | NLM_F_REQUEST, 6);
  message.writeUInt32LE(sequence, 8);
  return message;
}

/** Splits what one recv gave. A length that does not fit ends the list: the kernel never sends one. */
export function splitMessages(datagram: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + headerLength <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < headerLength || at + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + headerLength, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** The attributes in a buffer by type; flag bits are dropped, a repeated type keeps its last value. */
export function parseAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

/** Text of an attribute without its NUL; "" when the attribute is missing. */
export function attributeString(bytes: Buffer | undefined): string {
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/** Reads an NLMSG_ERROR body: errno, the request's header (with its body unless capped), then attributes. */
export function parseFailure(message: NetlinkMessage): NetlinkFailure {
  const errno = -message.body.readInt32LE(0);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  const requestLength = message.flags & NLM_F_CAPPED ? headerLength : message.body.readUInt32LE(4);
  const attributes = parseAttributes(message.body.subarray(4 + ((requestLength + 3) & ~3)));
  return { errno, text: attributeString(attributes.get(NLMSGERR_ATTR_MSG)) };
}
