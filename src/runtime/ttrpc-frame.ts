import { AgentError } from "../common/errors.ts";

/**
 * ttrpc's frames (github.com/containerd/ttrpc PROTOCOL.md): u32 data length, u32 stream id, u8 type, u8 flags, all
 * big-endian, then the data. A unary call is one request frame and one response frame of the same stream.
 */
export interface Frame {
  /** Chosen by the client: odd, increasing. */
  readonly streamId: number;
  readonly type: number;
  readonly flags: number;
  readonly data: Buffer;
}

export const frameType = { request: 1, response: 2, data: 3 } as const;

/** Data of one frame may not be longer: ttrpc's own limit. */
export const maxFrameBytes = 4 << 20;

const headerBytes = 10;

/** @throws AgentError ResourceExhausted when the data is longer than {@link maxFrameBytes} */
export function encodeFrame(frame: Frame): Buffer {
  if (frame.data.length > maxFrameBytes) {
    throw new AgentError(
      "ResourceExhausted",
      `Can't send a ttrpc message of ${frame.data.length} bytes: at most ${maxFrameBytes} fit`,
    );
  }
  const bytes = Buffer.allocUnsafe(headerBytes + frame.data.length);
  bytes.writeUInt32BE(frame.data.length, 0);
  bytes.writeUInt32BE(frame.streamId, 4);
  bytes.writeUInt8(frame.type, 8);
  bytes.writeUInt8(frame.flags, 9);
  frame.data.copy(bytes, headerBytes);
  return bytes;
}

/** Cuts a byte stream into frames, wherever the reads happen to split it. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #length = 0;

  /**
   * @returns the frames that these bytes complete; their data are copies or slices nobody else writes to
   * @throws AgentError DataLoss when a frame announces more than {@link maxFrameBytes}: the stream can't be followed
   */
  push(chunk: Buffer): readonly Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): Frame | undefined {
    if (this.#length < headerBytes) return undefined;
    const header = this.#peek(headerBytes);
    const dataBytes = header.readUInt32BE(0);
    if (dataBytes > maxFrameBytes) {
      throw new AgentError("DataLoss", `Bad ttrpc frame of ${dataBytes} bytes: at most ${maxFrameBytes} are allowed`);
    }
    const frameBytes = headerBytes + dataBytes;
    if (this.#length < frameBytes) return undefined;
    const bytes = this.#peek(frameBytes);
    const rest = bytes.subarray(frameBytes);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return {
      streamId: bytes.readUInt32BE(4),
      type: bytes.readUInt8(8),
      flags: bytes.readUInt8(9),
      data: bytes.subarray(headerBytes, frameBytes),
    };
  }

  /** One buffer that holds at least this many bytes. Joins what is there only when a frame is known to be complete. */
  #peek(bytes: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= bytes) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
