import type { BytePath } from "../../system/byte-path.ts";
import type { IndexNode } from "./index-node.ts";

const entryBytes = 12;

const fileTypes = {
  file: 1,
  directory: 2,
  char: 3,
  block: 4,
  fifo: 5,
  symlink: 7,
} as const satisfies Record<IndexNode["kind"], number>;

/** One name of a directory. */
export interface DirectoryEntry {
  readonly name: BytePath;
  readonly nid: number;
  readonly kind: IndexNode["kind"];
}

/** The names of a directory in the order the kernel's binary search wants: by their bytes, "." and ".." among them. */
export function sortedNames(children: ReadonlyMap<BytePath, IndexNode>): BytePath[] {
  // A byte path has one byte a character, so strings compare as their bytes do.
  return [".", "..", ...children.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Bytes that these names take: whole blocks, and what the last one uses. */
export function directoryBytes(names: readonly BytePath[], blockBytes: number): number {
  let blocks = 0;
  let used = 0;
  for (const name of names) {
    const bytes = entryBytes + name.length;
    if (used + bytes > blockBytes) {
      blocks++;
      used = 0;
    }
    used += bytes;
  }
  return blocks * blockBytes + used;
}

/** Writes the entries (sorted) into zeroed bytes: in each block first all struct erofs_dirent, then their names. */
export function encodeDirectory(
  into: Buffer,
  offset: number,
  entries: readonly DirectoryEntry[],
  blockBytes: number,
): void {
  let first = 0;
  for (let block = offset; first < entries.length; block += blockBytes) {
    const last = endOfBlock(entries, first, blockBytes);
    let nameAt = (last - first) * entryBytes;
    for (let index = first; index < last; index++) {
      const entry = entries[index];
      if (entry === undefined) continue;
      const at = block + (index - first) * entryBytes;
      into.writeBigUInt64LE(BigInt(entry.nid), at);
      into.writeUInt16LE(nameAt, at + 8);
      into[at + 10] = fileTypes[entry.kind];
      into.write(entry.name, block + nameAt, "latin1");
      nameAt += entry.name.length;
    }
    first = last;
  }
}

function endOfBlock(entries: readonly DirectoryEntry[], first: number, blockBytes: number): number {
  let used = 0;
  for (let index = first; index < entries.length; index++) {
    used += entryBytes + (entries[index]?.name.length ?? 0);
    if (used > blockBytes) return index;
  }
  return entries.length;
}
