import type { BytePath } from "../system/byte-path.ts";
import { invalidLayer } from "./layer-error.ts";

/** What a PAX extended header (POSIX.1-2001, pax "x" records) says about the entry behind it. */
export interface PaxRecords {
  readonly path?: BytePath;
  readonly linkPath?: BytePath;
  readonly sizeBytes?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: { readonly seconds: number; readonly nanoseconds: number };
  /** `SCHILY.xattr.<name>` records, name to value bytes. */
  readonly xattrs: readonly { readonly name: BytePath; readonly value: Buffer }[];
}

const xattrPrefix = "SCHILY.xattr.";
const maxXattrs = 256;

/**
 * Reads the records of one header: `<length> <key>=<value>\n`, length in decimal over the whole record. A later record
 * wins over an earlier one, an empty value takes an earlier one back. Keys we have no use for are ignored.
 * @throws AgentError InvalidArgument, also for sparse files: the image specification advises against them
 */
export function parsePaxHeader(body: Buffer): PaxRecords {
  const last = new Map<string, BytePath>();
  for (let offset = 0; offset < body.length; ) {
    const space = body.indexOf(0x20, offset);
    const lengthText = space < 0 ? "" : body.toString("latin1", offset, Math.min(space, offset + 10));
    const end = offset + (/^[0-9]{1,9}$/.test(lengthText) ? Number(lengthText) : 0);
    const equals = body.indexOf(0x3d, space);
    if (space < 0 || equals < 0 || end <= equals || end > body.length || body[end - 1] !== 0x0a) {
      throw invalidLayer(`a PAX header's record at byte ${offset} is no "<length> <key>=<value>" line`);
    }
    const key = body.toString("latin1", space + 1, equals);
    last.delete(key);
    last.set(key, body.toString("latin1", equals + 1, end - 1));
    offset = end;
  }
  return interpret(last);
}

function interpret(records: ReadonlyMap<string, BytePath>): PaxRecords {
  const found: { -readonly [Key in keyof PaxRecords]: PaxRecords[Key] } = { xattrs: [] };
  const xattrs: { name: BytePath; value: Buffer }[] = [];
  for (const [key, value] of records) {
    if (key.startsWith(xattrPrefix)) {
      xattrs.push({ name: key.slice(xattrPrefix.length), value: Buffer.from(value, "latin1") });
      if (xattrs.length > maxXattrs) throw invalidLayer(`an entry has more than ${maxXattrs} extended attributes`);
    } else if (key.startsWith("GNU.sparse.")) {
      throw invalidLayer("it holds a sparse file, which the image specification advises against");
    } else if (value !== "") {
      if (key === "path") found.path = withoutNul(key, value);
      else if (key === "linkpath") found.linkPath = withoutNul(key, value);
      else if (key === "size") found.sizeBytes = decimal(key, value);
      else if (key === "uid") found.uid = decimal(key, value);
      else if (key === "gid") found.gid = decimal(key, value);
      else if (key === "mtime") found.mtime = time(key, value);
    }
  }
  return { ...found, xattrs };
}

function withoutNul(key: string, value: BytePath): BytePath {
  if (value.includes("\0")) throw invalidLayer(`a PAX header's ${key} holds a NUL byte`);
  return value;
}

function decimal(key: string, value: string): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw badNumber(key, value);
  return number;
}

/** `1350244992.023960108`, `-5.5`: seconds with an optional fraction. The fraction counts upwards, as in a timespec. */
function time(key: string, value: string): { seconds: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw badNumber(key, value);
  const whole = Number(match[2]);
  const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (!Number.isSafeInteger(whole)) throw badNumber(key, value);
  if (match[1] === "") return { seconds: whole, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -whole, nanoseconds: 0 }
    : { seconds: -whole - 1, nanoseconds: 1e9 - nanoseconds };
}

function badNumber(key: string, value: string): Error {
  return invalidLayer(`a PAX header's ${key} is ${JSON.stringify(value.slice(0, 40))}: must be a number in range`);
}
