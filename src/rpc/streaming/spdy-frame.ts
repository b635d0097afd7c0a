import { SpdyError } from "./spdy-error.ts";

/**
 * SPDY/3.1 frames (SPDY protocol draft 3, section 2.6). A data frame comes as the pieces it was read in, the last of
 * which carries its FIN; so nothing is kept however long a frame is. Header blocks are still compressed.
 */
export type SpdyFrame =
  | { readonly kind: "data"; readonly streamId: number; readonly chunk: Buffer; readonly fin: boolean }
  | {
      readonly kind: "synStream";
      readonly streamId: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly headerBlock: Buffer;
    }
  | { readonly kind: "synReply"; readonly streamId: number; readonly fin: boolean; readonly headerBlock: Buffer }
  | { readonly kind: "headers"; readonly streamId: number; readonly fin: boolean; readonly headerBlock: Buffer }
  | { readonly kind: "rstStream"; readonly streamId: number; readonly status: number }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "goAway"; readonly lastStreamId: number; readonly status: number }
  | { readonly kind: "windowUpdate"; readonly streamId: number; readonly delta: number }
  | { readonly kind: "settings"; readonly payload: Buffer };

/** Status of RST_STREAM frames. */
export const rstStatus = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

const version = 3;
const controlBit = 0x8000;
const finFlag = 1;
const unidirectionalFlag = 2;
const headBytes = 8;
/** Control frames are kept whole; a longer one is refused. */
const mostControlBytes = 64 << 10;
/** What a data frame's 24-bit length can say. */
export const mostDataBytes = (1 << 24) - 1;

const types = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 };
const typeNames = new Map(Object.entries(types).map(([name, type]) => [type, name]));
const noBytes = Buffer.alloc(0);

/** Finds the frames in a byte stream, however it is cut. */
export class SpdyFrameReader {
  #kept = noBytes;
  #data: { readonly streamId: number; readonly fin: boolean; left: number } | undefined;

  /**
   * @returns frames that are views of the chunk: to be used before the caller reuses it
   * @throws SpdyError; the reader is of no use then
   */
  *push(chunk: Buffer): Generator<SpdyFrame> {
    let rest = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    this.#kept = noBytes;
    while (rest.length > 0) {
      if (this.#data !== undefined) {
        const { streamId, fin, left } = this.#data;
        const piece = rest.subarray(0, left);
        rest = rest.subarray(piece.length);
        this.#data.left -= piece.length;
        const last = this.#data.left === 0;
        if (last) this.#data = undefined;
        yield { kind: "data", streamId, chunk: piece, fin: fin && last };
        continue;
      }
      if (rest.length < headBytes) break;
      const length = rest.readUIntBE(5, 3);
      const isControl = (rest.readUInt16BE(0) & controlBit) !== 0;
      if (isControl) {
        if (length > mostControlBytes) {
          throw new SpdyError(`A control frame has ${length} bytes: ${mostControlBytes} are allowed`);
        }
        if (rest.length < headBytes + length) break;
        const frame = parseControlFrame(rest.subarray(0, headBytes + length));
        rest = rest.subarray(headBytes + length);
        if (frame !== undefined) yield frame;
        continue;
      }
      const streamId = rest.readUInt32BE(0);
      const fin = (rest.readUInt8(4) & finFlag) !== 0;
      rest = rest.subarray(headBytes);
      if (length > 0) this.#data = { streamId, fin, left: length };
      else yield { kind: "data", streamId, chunk: noBytes, fin };
    }
    // A copy, for the chunk is the caller's.
    this.#kept = Buffer.from(rest);
  }
}

/** @returns undefined for a type that SPDY/3.1 does not know: such frames are skipped */
function parseControlFrame(frame: Buffer): SpdyFrame | undefined {
  if ((frame.readUInt16BE(0) & ~controlBit) !== version) {
    throw new SpdyError(`A control frame has version ${frame.readUInt16BE(0) & ~controlBit}: it must be ${version}`);
  }
  const kind = typeNames.get(frame.readUInt16BE(2));
  const flags = frame.readUInt8(4);
  const fin = (flags & finFlag) !== 0;
  const body = frame.subarray(headBytes);
  const u32 = (offset: number) => {
    if (offset + 4 > body.length) throw new SpdyError(`A ${kind} frame of ${body.length} bytes is too short`);
    return body.readUInt32BE(offset);
  };
  const id = (offset: number) => u32(offset) & 0x7fffffff;
  switch (kind) {
    case "synStream":
      // Stream id, associated stream id, priority and slot.
      if (body.length < 10) throw new SpdyError(`A ${kind} frame of ${body.length} bytes is too short`);
      return {
        kind,
        streamId: id(0),
        fin,
        unidirectional: (flags & unidirectionalFlag) !== 0,
        headerBlock: body.subarray(10),
      };
    case "synReply":
    case "headers":
      return { kind, streamId: id(0), fin, headerBlock: body.subarray(4) };
    case "rstStream":
      return { kind, streamId: id(0), status: u32(4) };
    case "ping":
      return { kind, id: u32(0) };
    case "goAway":
      return { kind, lastStreamId: id(0), status: u32(4) };
    case "windowUpdate":
      return { kind, streamId: id(0), delta: id(4) };
    case "settings":
      return { kind, payload: body };
    default:
      return undefined;
  }
}

/** The frame's bytes; of a data frame, only the head that goes before its chunk. */
export function frameHead(frame: SpdyFrame): Buffer {
  switch (frame.kind) {
    case "data": {
      const head = Buffer.alloc(headBytes);
      head.writeUInt32BE(frame.streamId, 0);
      head.writeUInt8(frame.fin ? finFlag : 0, 4);
      head.writeUIntBE(frame.chunk.length, 5, 3);
      return head;
    }
    case "synStream": {
      const flags = (frame.fin ? finFlag : 0) | (frame.unidirectional ? unidirectionalFlag : 0);
      return control(types.synStream, flags, [u32(frame.streamId), Buffer.alloc(6), frame.headerBlock]);
    }
    case "synReply":
      return control(types.synReply, frame.fin ? finFlag : 0, [u32(frame.streamId), frame.headerBlock]);
    case "headers":
      return control(types.headers, frame.fin ? finFlag : 0, [u32(frame.streamId), frame.headerBlock]);
    case "rstStream":
      return control(types.rstStream, 0, [u32(frame.streamId), u32(frame.status)]);
    case "ping":
      return control(types.ping, 0, [u32(frame.id)]);
    case "goAway":
      return control(types.goAway, 0, [u32(frame.lastStreamId), u32(frame.status)]);
    case "windowUpdate":
      return control(types.windowUpdate, 0, [u32(frame.streamId), u32(frame.delta)]);
    case "settings":
      return control(types.settings, 0, [frame.payload]);
    default:
      return frame satisfies never;
  }
}

function control(type: number, flags: number, parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(controlBit | version, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(
    parts.reduce((sum, part) => sum + part.length, 0),
    5,
    3,
  );
  return Buffer.concat([head, ...parts]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
