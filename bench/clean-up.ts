import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { detectCgroups } from "../src/system/cgroup.ts";
import { killCgroup, removeCgroup } from "../src/system/cgroup-teardown.ts";
import { unmount } from "../src/system/mount.ts";
import { listMounts } from "../src/system/mountinfo.ts";
import { sweepInstance } from "../test/support/sweep-instance.ts";
import { containerdPlace, place, podlingPlace } from "./place.ts";

/** Ends what a run started and takes all it made off the machine; whatever is gone already counts as done. */
export async function removeEverything(): Promise<void> {
  const layout = detectCgroups();
  await killCgroup(layout, place.group, 20_000);
  await sweepInstance(podlingPlace);
  for (const socket of shimSockets()) rmSync(socket, { force: true });
  const mounts = listMounts().map(({ target }) => target);
  for (const target of mounts.filter((one) => one === place.base || one.startsWith(`${place.base}/`)).toReversed()) {
    await unmount(target);
  }
  rmSync(place.base, { recursive: true, force: true });
  rmSync(place.disk, { recursive: true, force: true });
  await removeCgroup(layout, place.group, 10_000);
}

/** Shims have their sockets in a directory that all of a machine share, and killed ones leave them there. */
function shimSockets(): readonly string[] {
  if (!existsSync(place.base)) return [];
  const bundles = [`${podlingPlace.state}/sandboxes/*`, `${containerdPlace.state}/io.containerd.runtime.v2.task/*/*`];
  return globSync(bundles.map((bundle) => `${bundle}/address`))
    .map((file) => readFileSync(file, "utf8").trim().replace("unix://", ""))
    .filter((address) => address.startsWith("/run/containerd/s/"));
}
