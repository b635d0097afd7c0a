import { closeSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { bindIdMapped } from "../system/id-mapped-mount.ts";
import { detachMount } from "../system/mount.ts";
import { mountOverlay } from "../system/overlay.ts";
import { createOwnedNamespaces } from "../system/user-namespace.ts";

/** Any range will do; nothing is left with these ids. */
const trialUid = 200_000;
const trialMap = `0 ${trialUid} 65536\n`;

/**
 * Whether a pod with a user namespace can have its root file system from this directory: tried once, by making a small
 * one. File systems learnt to map ids one by one, and overlays to stand on mapped layers in Linux 5.19.
 * @param directory absolute; a directory is made in it and removed again
 */
export async function probeIdMapping(directory: string): Promise<boolean> {
  const trial = join(directory, "id-map-probe");
  const remove = () => {
    for (const name of ["target", "mapped", "user"]) detachAll(join(trial, name));
    rmSync(trial, { recursive: true, force: true });
  };
  // Left by an agent that was killed here.
  remove();
  using clean = new DisposableStack();
  clean.defer(remove);
  mkdirSync(trial, { mode: 0o700 });
  const at = (name: string) => {
    mkdirSync(join(trial, name));
    return join(trial, name);
  };
  const [layer, mapped, upper, work, target] = [at("layer"), at("mapped"), at("upper"), at("work"), at("target")];
  closeSync(openSync(join(layer, "file"), "wx"));
  const user = join(trial, "user");
  try {
    await createOwnedNamespaces({ user }, { uids: trialMap, gids: trialMap });
    bindIdMapped(layer, mapped, user, false);
    mountOverlay({ lower: [mapped], writable: { upper, work }, target });
    return statSync(join(target, "file")).uid === trialUid;
  } catch {
    // Whatever fails here would fail for a pod, too.
    return false;
  }
}

/** Takes off whatever is mounted there. */
function detachAll(path: string): void {
  try {
    for (;;) detachMount(path);
  } catch {
    // Nothing is mounted there any more, or never was.
  }
}
