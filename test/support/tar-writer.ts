/** One entry of a tar archive, as hostile as a test wants it: nothing is checked or tidied. */
export interface TarEntry {
  /** A string is written as UTF-8. */
  readonly name: string | Uint8Array;
  /** Default "file". */
  readonly type?: keyof typeof typeFlags;
  /** Content of a file. */
  readonly body?: string | Uint8Array;
  /** Target of a link, symbolic or hard. */
  readonly target?: string;
  /** Permission bits with setuid, setgid and sticky. Default 0o755 for directories, else 0o644. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since the epoch. Default 1,700,000,000. */
  readonly mtimeSeconds?: number;
  /** Device numbers of a character or block device. */
  readonly device?: { readonly major: number; readonly minor: number };
  /** Extended attributes, written as SCHILY.xattr records. */
  readonly xattrs?: Readonly<Record<string, string | Uint8Array>>;
  /** Further pax records, written after the ones above. */
  readonly pax?: Readonly<Record<string, string>>;
}

const typeFlags = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} as const;
const blockSize = 512;

/** A whole archive: the entries in order and the two zero blocks that end it. */
export function writeTar(entries: Iterable<TarEntry>): Buffer {
  return Buffer.concat([...[...entries].map(writeEntry), Buffer.alloc(2 * blockSize)]);
}

/** The archives' entries one after the other in one archive. */
export function joinTars(archives: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...archives.map((archive) => archive.subarray(0, endOfEntries(archive))), Buffer.alloc(1024)]);
}

/** How many entries (not counting extension headers) an archive has. */
export function countTarEntries(archive: Uint8Array): number {
  let count = 0;
  endOfEntries(archive, (flag) => {
    if (!"xgLK".includes(flag)) count++;
  });
  return count;
}

function writeEntry(entry: TarEntry): Buffer {
  const name = Buffer.from(entry.name as Uint8Array);
  const body = Buffer.from((entry.body ?? "") as Uint8Array);
  const records: [string, Uint8Array][] = [];
  if (name.length > 100) records.push(["path", name]);
  if (Buffer.byteLength(entry.target ?? "") > 100) records.push(["linkpath", Buffer.from(entry.target ?? "")]);
  for (const [key, value] of Object.entries(entry.xattrs ?? {})) {
    records.push([`SCHILY.xattr.${key}`, Buffer.from(value as Uint8Array)]);
  }
  for (const [key, value] of Object.entries(entry.pax ?? {})) records.push([key, Buffer.from(value)]);
  const pax = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const extension = pax.length === 0 ? [] : [header("pax", "x", pax.length, { name: "pax" }), padded(pax)];
  const flag = typeFlags[entry.type ?? "file"];
  return Buffer.concat([...extension, header(name, flag, body.length, entry), padded(body)]);
}

function header(name: string | Uint8Array, flag: string, sizeBytes: number, entry: TarEntry): Buffer {
  const block = Buffer.alloc(blockSize);
  Buffer.from(name as Uint8Array).copy(block, 0, 0, 100);
  const octal = (value: number, offset: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, "0"), offset, width - 1, "latin1");
  octal(entry.mode ?? (flag === "5" ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(entry.mtimeSeconds ?? 1_700_000_000, 136, 12);
  block.write(flag, 156, "latin1");
  Buffer.from(entry.target ?? "").copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(entry.device?.major ?? 0, 329, 8);
  octal(entry.device?.minor ?? 0, 337, 8);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** "LENGTH key=value\n", where LENGTH counts itself. */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % blockSize;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(blockSize - rest)]);
}

/** Offset of the first zero block, walking from header to header. */
function endOfEntries(archive: Uint8Array, visit?: (flag: string) => void): number {
  const view = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  let offset = 0;
  while (offset + blockSize <= view.length && view[offset] !== 0) {
    visit?.(view.toString("latin1", offset + 156, offset + 157));
    const size = Number.parseInt(view.toString("latin1", offset + 124, offset + 135).trim() || "0", 8);
    offset += blockSize + Math.ceil(size / blockSize) * blockSize;
  }
  return offset;
}
