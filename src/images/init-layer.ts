import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

/** Directories that the runtime mounts on or makes nodes in, and where we bind the pod's files. */
const directories = ["dev", "dev/pts", "dev/shm", "dev/mqueue", "etc", "proc", "sys"] as const;
/** Empty files to bind on: the pod's own three, and the console's. */
const files = ["dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"] as const;

/**
 * Makes `<root>/init-layer/fs` where missing: the top lower layer of every container.
 *
 * The runtime works in the container's tree as root, before it is confined. An image whose `/dev` or `/etc` is a link
 * to the host's could aim the nodes, links and mounts made there at the host (runc CVE-2026-41579 removed and created
 * host files that way). Above the image's layers, real directories of ours hide such links: overlayfs does not merge a
 * directory with a link. Directories of the image itself are merged as ever.
 * @returns its path
 */
export function ensureInitLayer(rootDirectory: string): string {
  const path = join(rootDirectory, "init-layer", "fs");
  mkdirSync(path, { recursive: true, mode: 0o755 });
  for (const name of directories) {
    mkdirSync(join(path, name), { recursive: true });
    chmodSync(join(path, name), 0o755);
  }
  for (const name of files) {
    closeSync(openSync(join(path, name), "a", 0o644));
    chmodSync(join(path, name), 0o644);
  }
  chmodSync(path, 0o755);
  // Its way in is as closed as the layers': nothing on the host has to pass through here.
  chmodSync(join(rootDirectory, "init-layer"), 0o700);
  return path;
}
