import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import { mount, mountFlag } from "../system/mount.ts";

/** Where distributions put it: Debian's package, then podman's own copy. */
const catatonitPlaces = ["/usr/bin/catatonit", "/usr/libexec/podman/catatonit", "/usr/local/bin/catatonit"];

/**
 * Makes the root file system that the holders of shared PID namespaces run in: the static program catatonit and empty
 * mount points. Made before counts as done; a newer program of the host takes the place of the old copy.
 * @param root the agent's root directory
 * @returns absolute path for {@link planPidHolder}
 * @throws AgentError FailedPrecondition when catatonit is not installed
 */
export function preparePidHolder(root: string): string {
  const source = catatonitPlaces.find((path) => existsSync(path));
  if (source === undefined) {
    throw new AgentError(
      "FailedPrecondition",
      "Can't share a PID namespace in a pod: the program catatonit must be installed (package catatonit)",
    );
  }
  const directory = join(root, "pid-holder/fs");
  try {
    for (const name of ["proc", "dev"]) mkdirSync(join(directory, name), { recursive: true });
    // Its process is nobody, and must find the program whatever our umask is.
    chmodSync(directory, 0o755);
    const target = join(directory, "catatonit");
    if (!isCopyOf(target, source)) {
      // Renamed into place, since a holder that runs keeps the old file open.
      const temporary = join(root, "pid-holder/catatonit.tmp");
      copyFileSync(source, temporary);
      chmodSync(temporary, 0o755);
      renameSync(temporary, target);
    }
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't make "${directory}"`, { cause });
  }
  return directory;
}

/** Shows a directory at another place, for reading only. @throws AgentError SystemFailure */
export function bindReadonly(directory: string, target: string): void {
  try {
    mkdirSync(target, { recursive: true });
    chmodSync(target, 0o755);
    mount(directory, target, "", mountFlag.bind);
    mount("", target, "", mountFlag.bind | mountFlag.remount | mountFlag.readonly);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't show "${directory}" at "${target}"`, { cause });
  }
}

function isCopyOf(target: string, source: string): boolean {
  if (!existsSync(target)) return false;
  const copy = statSync(target);
  const original = statSync(source);
  return copy.size === original.size && copy.mtimeMs >= original.mtimeMs;
}
