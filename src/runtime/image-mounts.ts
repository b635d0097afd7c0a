import { closeSync, constants, mkdirSync, openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";
import { O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "../system/libc.ts";
import { mount, mountFlag } from "../system/mount.ts";
import { mountOverlay } from "../system/overlay.ts";
import { type LayerIdMap, withMappedLayers } from "./mapped-layers.ts";

/** An image whose files a container sees. */
export interface ImageMountInput {
  /** The image's layer directories, the topmost first. */
  readonly lower: readonly string[];
  /** Relative to the image's root; empty: all of it. */
  readonly subPath: string;
  /** Made here, for this mount alone; below a bundle, whose removal unmounts it. */
  readonly directory: string;
  /** Whose the files are to be; absent: the host's own ids. */
  readonly idMap?: LayerIdMap | undefined;
}

/**
 * Mounts an image's files read-only on the host.
 * @returns what to bind into the container
 * @throws AgentError ImageVolumeMountFailed
 */
export function mountImage({ lower, subPath, directory, idMap }: ImageMountInput): string {
  const empty = join(directory, "empty");
  const files = join(directory, "files");
  try {
    for (const path of [empty, files]) mkdirSync(path, { recursive: true, mode: 0o700 });
    // An overlay without an upper directory needs two lower ones, and only an overlay hides the marks of deleted files.
    const layers = [...lower, empty];
    const mountLayers = (mapped: readonly string[]) => mountOverlay({ lower: mapped, target: files });
    if (idMap === undefined) mountLayers(layers);
    else withMappedLayers(layers, idMap, mountLayers);
  } catch (cause) {
    throw new AgentError("ImageVolumeMountFailed", "the image's files can't be mounted", { cause });
  }
  return subPath === "" ? files : bindSubPath(files, subPath, join(directory, "part"));
}

/** A place inside the image: links of the image lead nowhere out of it, for the kernel itself takes it for the root. */
function bindSubPath(files: string, subPath: string, target: string): string {
  using open = new DisposableStack();
  const root = openSync(files, O_PATH | constants.O_DIRECTORY);
  open.defer(() => closeSync(root));
  try {
    const part = openat2(root, subPath, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    open.defer(() => closeSync(part));
    const source = `/proc/self/fd/${part}`;
    if (statSync(source).isDirectory()) mkdirSync(target, { mode: 0o700 });
    else writeFileSync(target, "", { mode: 0o600 });
    mount(source, target, "", mountFlag.bind);
    return target;
  } catch (cause) {
    const quoted = JSON.stringify(subPath.slice(0, 200));
    const missing = ["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(cause) ?? "");
    const why = missing ? "does not exist in the image" : "can't be mounted";
    throw new AgentError("ImageVolumeMountFailed", `image_sub_path ${quoted} ${why}`, { cause });
  }
}
