import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import { renderOciSpec } from "./oci-spec.ts";
import { unmountRootfs } from "./rootfs.ts";

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

/** Writes a bundle's config.json; nothing may start from the bundle before. @throws AgentError SystemFailure */
export function writeBundle(bundle: string, spec: object): void {
  makeBundle(bundle);
  try {
    writeFileSync(join(bundle, "config.json"), renderOciSpec(spec), { mode: 0o600 });
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't write "${join(bundle, "config.json")}"`, { cause });
  }
}

/** Unmounts the root file system of a bundle and removes the bundle. Gone already counts as done. */
export async function removeBundle(bundle: string): Promise<void> {
  const rootfs = join(bundle, "rootfs");
  await unmountRootfs(rootfs);
  try {
    rmSync(bundle, { recursive: true, force: true, maxRetries: 3 });
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't remove the bundle "${bundle}"`, { cause });
  }
}
