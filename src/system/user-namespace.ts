import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { dirname } from "node:path";
import { SystemError } from "../common/errors.ts";
import type { NamespacePins } from "./kernel-command.ts";
import { mount, mountFlag } from "./mount.ts";
import { makePipe, memoryFile, type SpawnedProcess, spawnProcess } from "./spawn-process.ts";

/** What owns the namespaces of a pod with ids of its own, pinned like them. */
export interface UserNamespacePins extends NamespacePins {
  readonly user: string;
}

const kindNames = ["user", "net", "ipc", "uts"] as const;

/**
 * Makes a user namespace and the others, which it owns, and pins each at its path. No thread of a process with several
 * can enter a user namespace (unshare(2)), so a small process does: it waits until its ids are mapped and it is pinned,
 * and ends when our end of its input does, whatever becomes of us.
 * @param maps text of /proc/PID/uid_map and gid_map
 * @throws SystemError; pins may be left then, for the caller to remove
 */
export async function createOwnedNamespaces(
  pins: UserNamespacePins,
  maps: { readonly uids: string; readonly gids: string },
): Promise<void> {
  const wanted = kindNames.filter((kind) => pins[kind] !== undefined);
  await using holder = await startHolder(wanted.map((kind) => `--${kind}`));
  writeFileSync(`/proc/${holder.pid}/uid_map`, maps.uids);
  writeFileSync(`/proc/${holder.pid}/gid_map`, maps.gids);
  for (const kind of wanted) {
    const path = pins[kind] ?? "";
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    closeSync(openSync(path, "wx", 0o444));
    mount(`/proc/${holder.pid}/ns/${kind}`, path, "", mountFlag.bind);
  }
}

interface Holder extends AsyncDisposable {
  readonly pid: number;
}

/** Starts the process and waits until it is in its namespaces: only then does cat run and answer. */
async function startHolder(flags: readonly string[]): Promise<Holder> {
  const [input, output] = [makePipe(), makePipe()];
  // What unshare(1) has to say when it fails.
  const errors = memoryFile();
  const reader = new Socket({ fd: output.read, readable: true, writable: false });
  let child: SpawnedProcess;
  try {
    const stdio = [input.read, output.write, errors] as const;
    const env = { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
    child = spawnProcess({ program: "unshare", args: [...flags, "--", "cat"], cwd: "/", env, stdio });
  } catch (error) {
    closeSync(input.write);
    reader.destroy();
    throw error;
  } finally {
    for (const fd of [input.read, output.write, errors]) closeSync(fd);
  }
  const end = async () => {
    closeSync(input.write);
    reader.destroy();
    await child.ended;
  };
  const answered = new Promise<boolean>((resolve) => {
    reader.once("data", () => resolve(true));
    reader.once("end", () => resolve(false));
    reader.once("error", () => resolve(false));
  });
  writeSync(input.write, "\n");
  if (await answered) return { pid: child.pid, [Symbol.asyncDispose]: end };
  await end();
  throw new SystemError(`make ${flags.join(" ")} namespaces: unshare(1) ended without making them`);
}
