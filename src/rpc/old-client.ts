import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { mendAuthority } from "./hpack-authority.ts";

/** RFC 9113, section 3.4. */
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const frameHeaderBytes = 9;
const [headersFrame, settingsFrame] = [0x1, 0x4];
const [ackFlag, endHeadersFlag, paddedFlag, priorityFlag] = [0x1, 0x4, 0x8, 0x20];
/** A frame that came whole before its first request was seen; larger ones are left to the server to refuse. */
const maxFrameBytes = 1 << 20;

/**
 * Looks at a connection's first request and hands the connection on. Clients built on gRPC for Go of 2022 name the
 * socket's path as the authority, which nghttp2 under Node answers with a protocol error: theirs is mended on the way.
 * All others get their socket unchanged, and what it costs them is this look.
 *
 * A client may wait for the server's settings before its first request, so we send empty ones, and keep their
 * acknowledgement to ourselves, for the server would not know it.
 * @param serve gets a stream that begins with the client's preface
 */
export function welcome(socket: Socket, serve: (connection: Duplex) => void): void {
  let seen = Buffer.alloc(0);
  const fail = () => socket.destroy();
  const look = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const opening = readOpening(seen);
    if (opening === "incomplete") return;
    socket.off("data", look).off("end", fail).off("error", fail);
    socket.pause();
    if (opening === "foreign") {
      socket.unshift(seen);
      serve(socket);
      return;
    }
    if (opening.mended) {
      serve(mendedConnection(socket, opening.bytes));
      return;
    }
    socket.unshift(opening.bytes);
    serve(socket);
  };
  socket.on("data", look).on("end", fail).on("error", fail);
  socket.write(frame(settingsFrame, 0, 0, Buffer.alloc(0)));
}

interface Opening {
  /** All that came, without the acknowledgement of our settings. */
  readonly bytes: Buffer;
  /** Whether the first request's authority is one that has to be mended. */
  readonly mended: boolean;
}

/** @returns "foreign" for what is no HTTP/2; the server has its own answer to it */
function readOpening(seen: Buffer): Opening | "incomplete" | "foreign" {
  const start = seen.subarray(0, preface.length).toString("latin1");
  if (!preface.startsWith(start)) return "foreign";
  const kept: Buffer[] = [Buffer.from(preface, "latin1")];
  let acknowledged = false;
  let mended: boolean | undefined;
  let at = preface.length;
  while (at + frameHeaderBytes <= seen.length && !(acknowledged && mended !== undefined)) {
    const end = at + frameHeaderBytes + seen.readUIntBE(at, 3);
    if (end - at > maxFrameBytes) return "foreign";
    if (end > seen.length) break;
    const [type, flags] = [seen[at + 3], seen[at + 4] ?? 0];
    if (type === settingsFrame && (flags & ackFlag) !== 0 && !acknowledged) acknowledged = true;
    else kept.push(seen.subarray(at, end));
    if (type === headersFrame && mended === undefined) {
      const { block } = partsOf(seen.subarray(at, end));
      mended = mendAuthority(block) !== block;
    }
    at = end;
  }
  if (!acknowledged || mended === undefined) return "incomplete";
  return { bytes: Buffer.concat([...kept, seen.subarray(at)]), mended };
}

/** The parts of a HEADERS frame: its priority, if it has one, and its header block, whole or its beginning. */
function partsOf(headers: Buffer): { readonly priority: Buffer; readonly block: Buffer } {
  const flags = headers[4] ?? 0;
  const padding = flags & paddedFlag ? (headers[frameHeaderBytes] ?? 0) : 0;
  const priorityAt = frameHeaderBytes + (flags & paddedFlag ? 1 : 0);
  const blockAt = priorityAt + (flags & priorityFlag ? 5 : 0);
  return {
    priority: headers.subarray(priorityAt, blockAt),
    block: headers.subarray(blockAt, headers.length - padding),
  };
}

/** The socket as a stream in which every request has an authority. */
function mendedConnection(socket: Socket, opening: Buffer): Duplex {
  const mender = new RequestMender();
  const connection: Duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk, done);
    },
    final: (done) => {
      socket.end(done);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const take = (chunk: Buffer) => {
    if (!connection.push(mender.push(chunk))) socket.pause();
  };
  socket.on("data", take);
  socket.on("end", () => connection.push(null));
  socket.on("error", (error) => connection.destroy(error));
  socket.on("close", () => connection.destroy());
  take(opening);
  return connection;
}

/** Rewrites what a client sends, frame by frame. */
class RequestMender {
  #rest = Buffer.alloc(0);
  #started = false;

  push(chunk: Buffer): Buffer {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    if (!this.#started) {
      if (this.#rest.length < preface.length) return Buffer.alloc(0);
      out.push(this.#rest.subarray(0, preface.length));
      this.#rest = this.#rest.subarray(preface.length);
      this.#started = true;
    }
    for (;;) {
      const end = this.#rest.length < frameHeaderBytes ? Number.NaN : frameHeaderBytes + this.#rest.readUIntBE(0, 3);
      if (!(end <= this.#rest.length)) break;
      out.push(mendFrame(this.#rest.subarray(0, end)));
      this.#rest = this.#rest.subarray(end);
    }
    return Buffer.concat(out);
  }
}

/** A header block that goes on in further frames is left alone: gRPC's requests fit into one. */
function mendFrame(whole: Buffer): Buffer {
  const [type, flags] = [whole[3], whole[4] ?? 0];
  if (type !== headersFrame || (flags & endHeadersFlag) === 0) return whole;
  const { priority, block } = partsOf(whole);
  const mended = mendAuthority(block);
  if (mended === block) return whole;
  return frame(headersFrame, flags & ~paddedFlag, whole.readUInt32BE(5), Buffer.concat([priority, mended]));
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}
