import type { BytePath } from "../system/byte-path.ts";
import { damagedLayer, invalidLayer, oversizedLayer } from "./layer-error.ts";
import { type PaxRecords, parsePaxHeader } from "./pax-header.ts";
import { blockBytes, parseTarHeader, type TarHeader } from "./tar-header.ts";

export type TarEntryKind = "file" | "link" | "symlink" | "char" | "block" | "directory" | "fifo";

/** One entry with its extensions applied, as the archive tells it: nothing in it has been checked against a policy. */
export interface TarEntry {
  readonly kind: TarEntryKind;
  readonly path: BytePath;
  readonly linkPath: BytePath;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow; 0 for all but files. */
  readonly sizeBytes: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: PaxRecords["xattrs"];
}

/** Who takes the entries, in archive order: begin, any number of data, end. `data` must not keep its bytes. */
export interface TarConsumer {
  /** @param contentOffsetBytes where in the archive the entry's content begins */
  begin(entry: TarEntry, contentOffsetBytes: number): void;
  data(bytes: Uint8Array): void;
  end(): void;
}

const maxNameBytes = 65_536;
const maxPaxBytes = 1_048_576;
const noXattrs: PaxRecords["xattrs"] = [];

const kinds = new Map<string, TarEntryKind>([
  ["\0", "file"],
  ["0", "file"],
  ["7", "file"],
  ["1", "link"],
  ["2", "symlink"],
  ["3", "char"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
]);

/** What lies between here and the next header. */
type Section =
  | { readonly kind: "header" }
  | { readonly kind: "content" }
  | { readonly kind: "extension"; readonly typeFlag: string; readonly parts: Buffer[] }
  | { readonly kind: "padding" }
  | { readonly kind: "ended" };

const header: Section = { kind: "header" };
const padding: Section = { kind: "padding" };
const content: Section = { kind: "content" };
const ended: Section = { kind: "ended" };

/**
 * Reads a tar archive pushed to it piece by piece and tells its entries at once, without buffering content.
 *
 * This is our own reader because tar-stream decodes names as UTF-8, which loses the bytes of others (two files become
 * one), and takes 13.6 µs for an entry (measured), more than the system calls that create the file.
 */
export class TarReader {
  readonly #consumer: TarConsumer;
  readonly #maxEntries: number;
  readonly #held = Buffer.alloc(blockBytes);
  /** Bytes of the archive before the next one to read. */
  #readBytes = 0;
  #heldBytes = 0;
  #section: Section = header;
  #remaining = 0;
  #paddingAfter = 0;
  #zeroBlocks = 0;
  #headers = 0;
  #pax: PaxRecords | undefined;
  #longPath: BytePath | undefined;
  #longLink: BytePath | undefined;

  constructor(consumer: TarConsumer, maxEntries: number) {
    this.#consumer = consumer;
    this.#maxEntries = maxEntries;
  }

  /** @throws AgentError InvalidArgument, ResourceExhausted, or what the consumer throws */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#section.kind === "ended") return;
      const next = this.#section.kind === "header" ? this.#takeHeader(chunk, at) : this.#takeBody(chunk, at);
      this.#readBytes += next - at;
      at = next;
    }
  }

  /** Whether the archive's end was read: what is pushed after it does not count. */
  get isEnded(): boolean {
    return this.#section.kind === "ended";
  }

  /** Bytes that come next and tell nothing but a file's content: {@link skip} passes over them. */
  get skippableBytes(): number {
    return this.#section.kind === "content" || this.#section.kind === "padding" ? this.#remaining : 0;
  }

  /** Passes over bytes without looking at them, at most {@link skippableBytes}; the consumer isn't given them either. */
  skip(bytes: number): void {
    this.#remaining -= bytes;
    this.#readBytes += bytes;
    if (this.#remaining === 0) this.#endBody();
  }

  /** @throws AgentError DataLoss when the archive stops inside an entry. Missing end blocks are fine. */
  finish(): void {
    const between = this.#section.kind === "header" && this.#heldBytes === 0;
    const dangling = this.#pax ?? this.#longPath ?? this.#longLink;
    if (dangling !== undefined || (this.#section.kind !== "ended" && !between)) {
      throw damagedLayer("its tar ends in the middle of an entry");
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    if (this.#heldBytes === 0 && chunk.length - at >= blockBytes) {
      this.#header(parseTarHeader(chunk, at), this.#readBytes + blockBytes);
      return at + blockBytes;
    }
    const taken = Math.min(blockBytes - this.#heldBytes, chunk.length - at);
    chunk.copy(this.#held, this.#heldBytes, at, at + taken);
    this.#heldBytes += taken;
    if (this.#heldBytes === blockBytes) {
      this.#heldBytes = 0;
      this.#header(parseTarHeader(this.#held, 0), this.#readBytes + taken);
    }
    return at + taken;
  }

  #header(found: TarHeader | undefined, endBytes: number): void {
    if (found === undefined) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#section = ended;
      return;
    }
    if (this.#zeroBlocks > 0) throw invalidLayer("its tar goes on after a lone block of zeros");
    this.#headers++;
    if (this.#headers > this.#maxEntries) throw oversizedLayer(`its tar has more than ${this.#maxEntries} entries`);
    if ("xgLK".includes(found.typeFlag)) this.#beginExtension(found);
    else this.#beginEntry(found, endBytes);
  }

  #beginExtension(found: TarHeader): void {
    const limit = found.typeFlag === "x" || found.typeFlag === "g" ? maxPaxBytes : maxNameBytes;
    if (found.sizeBytes > limit) {
      throw invalidLayer(`an extended tar header has ${found.sizeBytes} bytes: ${limit} are allowed`);
    }
    this.#section = { kind: "extension", typeFlag: found.typeFlag, parts: [] };
    this.#expect(found.sizeBytes);
  }

  #beginEntry(found: TarHeader, endBytes: number): void {
    const entry = this.#extended(found);
    this.#pax = undefined;
    this.#longPath = undefined;
    this.#longLink = undefined;
    this.#section = content;
    this.#consumer.begin(entry, endBytes);
    this.#expect(entry.sizeBytes);
  }

  #extended(found: TarHeader): TarEntry {
    const pax = this.#pax;
    const path = this.#longPath ?? pax?.path ?? found.path;
    const kind = kinds.get(found.typeFlag);
    if (kind === undefined) {
      throw invalidLayer(`a tar entry has type ${JSON.stringify(found.typeFlag)}, which no image may hold`);
    }
    // Before POSIX a directory was told from a file by the slash alone.
    const isOldDirectory = found.typeFlag === "\0" && path.endsWith("/");
    return {
      kind: isOldDirectory ? "directory" : kind,
      path,
      linkPath: this.#longLink ?? pax?.linkPath ?? found.linkPath,
      mode: found.mode,
      uid: pax?.uid ?? found.uid,
      gid: pax?.gid ?? found.gid,
      // Writers put the size of a hard link's target, or of a directory's content, into headers without content.
      sizeBytes: kind === "file" && !isOldDirectory ? (pax?.sizeBytes ?? found.sizeBytes) : 0,
      mtime: pax?.mtime ?? { seconds: found.mtimeSeconds, nanoseconds: 0 },
      deviceMajor: found.deviceMajor,
      deviceMinor: found.deviceMinor,
      xattrs: pax?.xattrs ?? noXattrs,
    };
  }

  #expect(sizeBytes: number): void {
    this.#remaining = sizeBytes;
    this.#paddingAfter = (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
    if (sizeBytes === 0) this.#endBody();
  }

  #takeBody(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#remaining, chunk.length - at);
    if (this.#section.kind === "content") this.#consumer.data(chunk.subarray(at, at + taken));
    else if (this.#section.kind === "extension") {
      this.#section.parts.push(Buffer.from(chunk.subarray(at, at + taken)));
    }
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#endBody();
    return at + taken;
  }

  #endBody(): void {
    const section = this.#section;
    if (section.kind === "content") this.#consumer.end();
    else if (section.kind === "extension") this.#endExtension(section.typeFlag, Buffer.concat(section.parts));
    const pad = section.kind === "padding" ? 0 : this.#paddingAfter;
    this.#remaining = pad;
    this.#section = pad > 0 ? padding : header;
  }

  #endExtension(typeFlag: string, body: Buffer): void {
    const untilNul = () => body.toString("latin1", 0, body.includes(0) ? body.indexOf(0) : body.length);
    if (typeFlag === "x") this.#pax = parsePaxHeader(body);
    else if (typeFlag === "L") this.#longPath = untilNul();
    else if (typeFlag === "K") this.#longLink = untilNul();
    // "g" would change every later entry; no image builder means it to, so it only has to be within its size.
  }
}
