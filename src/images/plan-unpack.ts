import { type BytePath, joinPath, quotePath } from "../system/byte-path.ts";
import { invalidLayer } from "./layer-error.ts";
import { isPosixAcl } from "./posix-acl.ts";
import type { TarEntry } from "./tar-reader.ts";

/** Who owns a node, what may be done with it, and when it was changed. */
export interface NodeAttributes {
  /** Permission bits with setuid, setgid and sticky: 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly xattrs: TarEntry["xattrs"];
}

/** Where a node goes: its directory's path as the archive has it (links in it not resolved yet), and its name there. */
export interface Place {
  readonly directory: BytePath;
  readonly name: BytePath;
}

/** What one tar entry asks for. */
export type UnpackOperation =
  | { readonly kind: "root"; readonly attributes: NodeAttributes }
  | { readonly kind: "directory"; readonly place: Place; readonly attributes: NodeAttributes }
  | { readonly kind: "file"; readonly place: Place; readonly attributes: NodeAttributes; readonly sizeBytes: number }
  | {
      readonly kind: "symlink";
      readonly place: Place;
      readonly attributes: NodeAttributes;
      readonly target: BytePath;
    }
  | { readonly kind: "link"; readonly place: Place; readonly target: Place }
  | {
      readonly kind: "node";
      readonly place: Place;
      readonly attributes: NodeAttributes;
      readonly node: "char" | "block" | "fifo";
      readonly numbers: { readonly major: number; readonly minor: number };
    }
  /** Hides what the lower layers have at the place. */
  | { readonly kind: "whiteout"; readonly place: Place }
  /** Hides all that the lower layers have in the directory. */
  | { readonly kind: "opaque"; readonly directory: BytePath }
  | { readonly kind: "skip" };

const maxPathBytes = 4095;
const maxNameBytes = 255;
const maxDepth = 1024;
const maxId = 0xff_ff_ff_fe;
/** All of one entry's: what the kernel takes as one value, and more than any store but XFS keeps. */
const maxXattrBytes = 65_536;
const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

/**
 * Decides what a tar entry does to the layer's tree, by the OCI layer specification.
 * @throws AgentError InvalidArgument for what no image may hold
 */
export function planUnpack(entry: TarEntry): UnpackOperation {
  const components = cleanComponents(entry.path, "name");
  const name = components.pop();
  if (name === undefined) {
    // The root may get attributes; it must never become anything but the directory it is.
    if (entry.kind === "directory") return { kind: "root", attributes: attributesOf(entry) };
    throw invalidLayer(`a ${entry.kind} is named ${quotePath(entry.path)}: only a directory may be the root`);
  }
  const hidden = components.find((component) => component.startsWith(whiteoutPrefix));
  if (hidden !== undefined) {
    if (isBookkeeping(hidden)) return { kind: "skip" };
    throw invalidLayer(`entry ${quotePath(entry.path)} lies in ${quotePath(hidden)}: a whiteout is no directory`);
  }
  const place: Place = { directory: components.join("/"), name };
  return name.startsWith(whiteoutPrefix) ? planWhiteout(entry, place) : planNode(entry, place);
}

function planWhiteout(entry: TarEntry, place: Place): UnpackOperation {
  if (place.name === opaqueName) return { kind: "opaque", directory: place.directory };
  if (isBookkeeping(place.name)) return { kind: "skip" };
  const name = place.name.slice(whiteoutPrefix.length);
  if (name === "" || name === "." || name === "..") {
    throw invalidLayer(`whiteout ${quotePath(entry.path)} names no file it could hide`);
  }
  return { kind: "whiteout", place: { directory: place.directory, name } };
}

/** What aufs left in old images for itself, such as the directory ".wh..wh.plnk" and all that lies in it. */
function isBookkeeping(name: BytePath): boolean {
  return name.startsWith(".wh..wh.") && name !== opaqueName;
}

function planNode(entry: TarEntry, place: Place): UnpackOperation {
  switch (entry.kind) {
    case "directory":
      return { kind: "directory", place, attributes: attributesOf(entry) };
    case "file":
      return { kind: "file", place, attributes: attributesOf(entry), sizeBytes: entry.sizeBytes };
    case "symlink":
      return { kind: "symlink", place, attributes: attributesOf(entry), target: symlinkTarget(entry) };
    case "link":
      return { kind: "link", place, target: linkTarget(entry) };
    case "char":
    case "block":
    case "fifo":
      return {
        kind: "node",
        place,
        attributes: attributesOf(entry),
        node: entry.kind,
        numbers: deviceNumbers(entry),
      };
    default:
      return entry.kind satisfies never;
  }
}

/** Cuts a path into names, relative to the layer's root whether it starts with a slash or not. */
function cleanComponents(path: BytePath, what: string): BytePath[] {
  if (path.length > maxPathBytes) {
    throw invalidLayer(`a ${what} has ${path.length} bytes, ${quotePath(path)}: ${maxPathBytes} are allowed`);
  }
  if (path === "") throw invalidLayer(`an entry has an empty ${what}`);
  const components = path.split("/").filter((component) => component !== "" && component !== ".");
  for (const component of components) {
    // Honest writers never emit it, and where it leads depends on links that may change until the archive's end.
    if (component === "..") throw invalidLayer(`${what} ${quotePath(path)} holds "..": it must name its place itself`);
    if (component.length > maxNameBytes) {
      throw invalidLayer(`${what} ${quotePath(path)} has a component over ${maxNameBytes} bytes`);
    }
  }
  if (components.length > maxDepth) throw invalidLayer(`${what} ${quotePath(path)} is deeper than ${maxDepth}`);
  return components;
}

function symlinkTarget(entry: TarEntry): BytePath {
  if (entry.linkPath !== "" && entry.linkPath.length <= maxPathBytes) return entry.linkPath;
  throw invalidLayer(
    `symbolic link ${quotePath(entry.path)} has a target of ${entry.linkPath.length} bytes: 1 to ${maxPathBytes} are allowed`,
  );
}

function linkTarget(entry: TarEntry): Place {
  const components = cleanComponents(entry.linkPath, "hard link's target");
  const name = components.pop();
  if (name === undefined || name.startsWith(whiteoutPrefix)) {
    throw invalidLayer(
      `hard link ${quotePath(entry.path)} has the target ${quotePath(entry.linkPath)}: must be a file`,
    );
  }
  return { directory: components.join("/"), name };
}

function deviceNumbers(entry: TarEntry): { major: number; minor: number } {
  const numbers = { major: entry.deviceMajor, minor: entry.deviceMinor };
  if (entry.kind === "fifo") return { major: 0, minor: 0 };
  // The kernel's own widths, include/linux/kdev_t.h: 12 and 20 bits.
  if (numbers.major > 0xfff || numbers.minor > 0xf_ff_ff) {
    throw invalidLayer(
      `device ${quotePath(entry.path)} has number ${numbers.major}:${numbers.minor}: 4095:1048575 is the highest`,
    );
  }
  if (entry.kind === "char" && numbers.major === 0 && numbers.minor === 0) {
    throw invalidLayer(
      `character device ${quotePath(entry.path)} has number 0:0, which overlayfs takes for a whiteout`,
    );
  }
  return numbers;
}

function attributesOf(entry: TarEntry): NodeAttributes {
  for (const [what, id] of [
    ["uid", entry.uid],
    ["gid", entry.gid],
  ] as const) {
    if (id > maxId) throw invalidLayer(`${quotePath(entry.path)} has ${what} ${id}: ${maxId} is the highest`);
  }
  const mtime = boundedTime(entry.mtime);
  return {
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    xattrs: entry.xattrs.length === 0 ? entry.xattrs : allowedXattrs(entry),
  };
}

/** What 34 bits hold, as ext4 has them; nothing in an image is older than 1901 or younger than 2446. */
const earliestSeconds = -0x8000_0000;
const latestSeconds = 0x3_7fff_ffff;

/** Keeps a time within the bounds; at a bound there is no fraction, as the kernel keeps it. */
function boundedTime({ seconds, nanoseconds }: TarEntry["mtime"]): TarEntry["mtime"] {
  if (seconds > earliestSeconds && seconds < latestSeconds) return { seconds, nanoseconds };
  return { seconds: seconds < 0 ? earliestSeconds : latestSeconds, nanoseconds: 0 };
}

/**
 * The attributes an image may set. All others belong to the host (security.selinux, trusted.*) or would steer overlayfs
 * (user.overlay.*), and are left out.
 */
function allowedXattrs(entry: TarEntry): TarEntry["xattrs"] {
  checkXattrs(entry);
  return entry.xattrs.filter(({ name, value }) => {
    if (name === "security.capability") return entry.kind === "file" && isImageCapability(entry, value);
    if (name === "system.posix_acl_access") return entry.kind !== "symlink" && isImageAcl(entry, value);
    if (name === "system.posix_acl_default") return entry.kind === "directory" && isImageAcl(entry, value);
    // The kernel knows user attributes on files and directories alone, xattr(7).
    if (entry.kind !== "file" && entry.kind !== "directory") return false;
    return name.startsWith("user.") && name.length > 5 && !name.startsWith("user.overlay.");
  });
}

function checkXattrs(entry: TarEntry): void {
  let bytes = 0;
  for (const { name, value } of entry.xattrs) {
    if (name.includes("\0"))
      throw invalidLayer(`${quotePath(entry.path)} has an extended attribute with a NUL in its name`);
    if (name.length > maxNameBytes) {
      throw invalidLayer(
        `${quotePath(entry.path)} has an extended attribute with a name of ${name.length} bytes: ${maxNameBytes} are allowed`,
      );
    }
    bytes += name.length + value.length;
  }
  if (bytes > maxXattrBytes) {
    throw invalidLayer(
      `${quotePath(entry.path)} has extended attributes of ${bytes} bytes: ${maxXattrBytes} are allowed`,
    );
  }
}

/** Whether an attribute found on a file of a layer is the image's own, and so belongs to a copy of the file. */
export function mayCopyXattr(name: BytePath): boolean {
  if (name === "security.capability" || name.startsWith("system.posix_acl_")) return true;
  return name.startsWith("user.") && !name.startsWith("user.overlay.");
}

/** struct vfs_cap_data of include/uapi/linux/capability.h: revision 2, or revision 3 for the root user itself. */
function isImageCapability(entry: TarEntry, value: Buffer): boolean {
  const revision = value.length >= 4 ? value.readUInt8(3) : 0;
  const rootId = revision === 3 && value.length === 24 ? value.readUInt32LE(20) : 0;
  if ((revision === 2 && value.length === 20) || (revision === 3 && value.length === 24 && rootId === 0)) return true;
  throw invalidLayer(
    `${quotePath(entry.path)} has file capabilities of revision ${revision} for user ${rootId}: must be revision 2, or 3 for user 0`,
  );
}

function isImageAcl(entry: TarEntry, value: Buffer): boolean {
  if (isPosixAcl(value)) return true;
  throw invalidLayer(`${quotePath(entry.path)} has an access control list that the kernel would not take`);
}

/** The place as one path. */
export function pathOf(place: Place): BytePath {
  return joinPath(place.directory, place.name);
}
