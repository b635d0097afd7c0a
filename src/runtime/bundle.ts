import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { AgentError } from "../common/errors.ts";
import { removeTree, writeFileDurably } from "../system/files.ts";
import { unmount } from "../system/mount.ts";
import { listMounts } from "../system/mountinfo.ts";
import { type OciResources, type OciSpec, parseOciSpec, renderOciSpec } from "./oci-spec.ts";

/**
 * Makes the bundle directory a runtime reads: only root may enter, for config.json holds the environment's secrets.
 * @returns the path of its `rootfs` directory
 */
export function makeBundle(bundle: string): string {
  const rootfs = join(bundle, "rootfs");
  try {
    mkdirSync(rootfs, { recursive: true, mode: 0o700 });
    chmodSync(bundle, 0o700);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't make the bundle "${bundle}"`, { cause });
  }
  return rootfs;
}

/**
 * Lets processes of other ids through to what lies below a directory whose names they know, without showing them any.
 * Root of a pod's own user namespace is such another id, and the runtime enters it before it reaches the bundle's
 * root file system; what is secret there has its own permissions.
 * @param top the agent's state directory
 */
export function letThrough(top: string, directory: string): void {
  const names = relative(top, directory).split(sep);
  const directories = names.map((_, index) => join(top, ...names.slice(0, index + 1)));
  try {
    for (const path of [top, ...directories]) chmodSync(path, 0o711);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't let a pod's users through to "${directory}"`, { cause });
  }
}

/** Writes a bundle's config.json; nothing may start from the bundle before. @throws AgentError SystemFailure */
export function writeBundle(bundle: string, spec: object): void {
  makeBundle(bundle);
  try {
    writeFileSync(join(bundle, "config.json"), renderOciSpec(spec), { mode: 0o600 });
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't write "${join(bundle, "config.json")}"`, { cause });
  }
}

/** Replaces the limits in a bundle's config.json, device rules aside, as one step. @throws AgentError SystemFailure */
export function writeBundleLimits(bundle: string, limits: Omit<OciResources, "devices">): void {
  const path = join(bundle, "config.json");
  try {
    const spec = parseOciSpec(readFileSync(path, "utf8"));
    const changed: OciSpec = {
      ...spec,
      linux: { ...spec.linux, resources: { devices: spec.linux.resources.devices, ...limits } },
    };
    writeFileDurably(path, renderOciSpec(changed), 0o600);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't write the limits into "${path}"`, { cause });
  }
}

/**
 * Unmounts what is mounted in a bundle, the root file system above all, and removes the bundle. Gone already counts as
 * done. What lies behind a mount that can't be unmounted is never touched.
 * @throws AgentError SystemFailure
 */
export async function removeBundle(bundle: string): Promise<void> {
  try {
    await unmountBelow(bundle);
    await removeTree(bundle);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't remove the bundle "${bundle}"`, { cause });
  }
}

/** A mount may lie on another one at the same place, so what the table still shows is unmounted again. */
async function unmountBelow(directory: string): Promise<void> {
  for (let round = 0; round < 8; round++) {
    const mounted = mountsBelow(directory);
    if (mounted.length === 0) return;
    // The table is in the order of mounting, so the last one has none on it.
    for (const target of mounted.toReversed()) await unmount(target);
  }
  throw new Error(`something mounts in it again and again: ${mountsBelow(directory).join(", ")}`);
}

function mountsBelow(directory: string): readonly string[] {
  return listMounts()
    .map(({ target }) => target)
    .filter((target) => target.startsWith(`${directory}/`));
}
