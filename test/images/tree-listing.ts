import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type BytePath, joinPath } from "../../src/system/byte-path.ts";
import { getXattr, listXattrs } from "../../src/system/extended-attributes.ts";
import { closeFd, listNames, openAt, openRoot, readLinkAt, statAt, statFd } from "../../src/system/root-directory.ts";

/** All that can be told of one node of a tree. */
export interface ListedNode {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly mtime: string;
  readonly content?: string;
  /** A file's content as one can read it: quoted when it is short, else its size and the start of its hash. */
  readonly text?: string;
  readonly target?: string;
  readonly device?: string;
  readonly xattrs: Readonly<Record<string, string>>;
  /** The first path, in order, of the same inode; absent when it has one name. */
  readonly linkedTo?: BytePath;
}

/** Every node of a tree by its path, in order; "" is the root. */
export function listTree(directory: string): Map<BytePath, ListedNode> {
  const found = new Map<BytePath, ListedNode>();
  const firstOf = new Map<bigint, BytePath>();
  const root = openRoot(directory);
  try {
    found.set("", describe(root, undefined));
    walk(root, "");
  } finally {
    closeFd(root);
  }
  return found;

  function walk(dirFd: number, path: BytePath): void {
    for (const name of listNames(dirFd).sort()) {
      const stat = statAt(dirFd, name);
      const child = joinPath(path, name);
      if (stat === undefined) {
        // A whiteout that overlayfs lists but does not show.
        found.set(child, { kind: "ghost", mode: "", owner: "", mtime: "", xattrs: {} });
        continue;
      }
      const linkedTo = stat.linkCount > 1 && stat.kind !== "directory" ? firstOf.get(stat.inode) : undefined;
      if (stat.linkCount > 1) firstOf.set(stat.inode, firstOf.get(stat.inode) ?? child);
      if (stat.kind === "symlink") {
        found.set(child, { ...base(stat), target: readLinkAt(dirFd, name), ...(linkedTo && { linkedTo }) });
      } else if (stat.kind === "directory" || stat.kind === "file") {
        const fd = openAt(dirFd, name, "read");
        try {
          found.set(child, describe(fd, linkedTo));
          if (stat.kind === "directory") walk(fd, child);
        } finally {
          closeFd(fd);
        }
      } else {
        const device = stat.kind === "fifo" ? {} : { device: `${stat.deviceMajor}:${stat.deviceMinor}` };
        found.set(child, { ...base(stat), ...device, ...(linkedTo && { linkedTo }) });
      }
    }
  }
}

function describe(fd: number, linkedTo: BytePath | undefined): ListedNode {
  const stat = statFd(fd);
  const names = listXattrs(fd).filter((name) => !name.startsWith("trusted.overlay."));
  return {
    ...base(stat),
    xattrs: Object.fromEntries(names.sort().map((name) => [name, getXattr(fd, name)?.toString("hex") ?? ""])),
    ...(stat.kind === "file" && contentOf(fd)),
    ...(linkedTo && { linkedTo }),
  };
}

function contentOf(fd: number): Pick<ListedNode, "content" | "text"> {
  const bytes = readFileSync(`/proc/self/fd/${fd}`);
  const hash = createHash("sha256").update(bytes).digest("hex");
  const text =
    bytes.length <= 60 ? JSON.stringify(bytes.toString("latin1")) : `${bytes.length} bytes ${hash.slice(0, 8)}`;
  return { content: `${bytes.length} ${hash}`, text };
}

function base(stat: ReturnType<typeof statFd>): ListedNode {
  return {
    kind: stat.kind,
    mode: stat.kind === "symlink" ? "" : stat.mode.toString(8),
    owner: `${stat.uid}:${stat.gid}`,
    mtime: `${stat.mtimeSeconds}.${String(stat.mtimeNanoseconds).padStart(9, "0")}`,
    xattrs: {},
  };
}
