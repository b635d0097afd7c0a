import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { unmount } from "../system/mount.ts";
import { mountOverlay } from "../system/overlay.ts";
import { closeFd, openRoot } from "../system/root-directory.ts";

/** The merged tree of some layers, for looking only. */
export interface LowerView extends AsyncDisposable {
  readonly fd: number;
}

/**
 * Opens what containers would see of these layers (top first). Several layers are merged by the kernel, which alone
 * knows all rules of whiteouts.
 * @param directory where a mount point may be made; it is removed with the directory
 */
export async function openLowerView(layers: readonly string[], directory: string): Promise<LowerView> {
  const [only] = layers;
  if (layers.length === 1 && only !== undefined) {
    const fd = openRoot(only);
    return { fd, [Symbol.asyncDispose]: async () => closeFd(fd) };
  }
  await using undo = new AsyncDisposableStack();
  const target = join(directory, "lower");
  mkdirSync(target, { mode: 0o700 });
  undo.defer(async () => {
    await unmount(target);
    rmdirSync(target);
  });
  mountOverlay({ lower: layers, target });
  const fd = openRoot(target);
  undo.defer(async () => closeFd(fd));
  const held = undo.move();
  return { fd, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
