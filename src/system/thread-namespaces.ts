import { closeSync, mkdirSync, openSync, readlinkSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, SystemError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { NamespacePins } from "./kernel-command.ts";
import { check, errnoName, libc } from "./libc.ts";
import { mount, mountFlag } from "./mount.ts";

/**
 * Namespace changes of the calling thread. Only for a thread of their own: on the main thread, or on one of the
 * thread pool, a forgotten namespace would poison everything that runs there later.
 */

const CLONE_NEWUTS = 0x04000000;
const CLONE_NEWIPC = 0x08000000;
const CLONE_NEWNET = 0x40000000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** The kernel keeps 64 bytes of host name. */
const maxHostnameBytes = 64;

const kinds = { net: CLONE_NEWNET, ipc: CLONE_NEWIPC, uts: CLONE_NEWUTS } as const;
type Kind = keyof typeof kinds;
const kindNames = ["net", "ipc", "uts"] as const;

/** The namespaces the thread began in, where it must be whenever a request ends. */
export class HomeNamespaces {
  readonly #homes: Readonly<Record<Kind, { readonly fd: number; readonly identity: string }>>;

  constructor() {
    const open = (kind: Kind) => ({ fd: openSync(`/proc/thread-self/ns/${kind}`, "r"), identity: identityOf(kind) });
    this.#homes = { net: open("net"), ipc: open("ipc"), uts: open("uts") };
  }

  /** The network namespace the thread began in, such as "net:[4026531840]". */
  get netIdentity(): string {
    return this.#homes.net.identity;
  }

  /**
   * Runs the body with the thread in a network namespace.
   * @throws SystemError when the descriptor is no network namespace
   */
  inside<Result>(netnsFd: number, step: string, body: () => Result): Result {
    check(libc.setns(netnsFd, CLONE_NEWNET), `${step}: enter the network namespace`);
    try {
      return body();
    } finally {
      this.#return("net");
    }
  }

  /** Runs the body with the thread in the namespaces that are pinned; in its own where none is. */
  insidePins<Result>(pins: NamespacePins, body: () => Result): Result {
    const wanted = kindNames.filter((kind) => pins[kind] !== undefined);
    using fds = new DisposableStack();
    const opened = wanted.map((kind) => {
      const fd = openSync(pins[kind] ?? "", "r");
      fds.defer(() => closeSync(fd));
      return fd;
    });
    try {
      for (const [index, kind] of wanted.entries()) {
        check(libc.setns(opened[index] ?? -1, kinds[kind]), `enter the ${kind} namespace "${pins[kind]}"`);
      }
      return body();
    } finally {
      for (const kind of wanted) this.#return(kind);
    }
  }

  /** Runs the body in new namespaces of these kinds, then comes back. */
  insideNew<Result>(wanted: readonly Kind[], body: () => Result): Result {
    const flags = wanted.reduce((sum, kind) => sum | kinds[kind], 0);
    check(libc.unshare(flags), `make ${wanted.join(", ")} namespaces`);
    try {
      return body();
    } finally {
      for (const kind of wanted) this.#return(kind);
    }
  }

  /** A thread in the wrong namespace would do every later request in somebody's pod: better no agent than that one. */
  #return(kind: Kind): void {
    const home = this.#homes[kind];
    if (libc.setns(home.fd, kinds[kind]) !== 0 || identityOf(kind) !== home.identity) process.abort();
  }
}

/**
 * Makes namespaces and pins each at its path, so that they live without any process. The UTS one gets the host name.
 * @param configure runs inside the new namespaces, before they can be found by others
 * @throws SystemError; whatever was pinned until then is unpinned again
 */
export function createPinnedNamespaces(
  home: HomeNamespaces,
  pins: NamespacePins,
  hostname: string,
  configure: () => void,
): void {
  const wanted = kindNames.filter((kind) => pins[kind] !== undefined);
  const paths = wanted.map((kind) => pins[kind] ?? "");
  for (const path of paths) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    try {
      closeSync(openSync(path, "wx", 0o444));
    } catch (cause) {
      removePins(paths.slice(0, paths.indexOf(path)));
      throw new SystemError(`make namespace pin "${path}"`, { errno: errnoOf(cause) ?? "EIO", cause });
    }
  }
  try {
    home.insideNew(wanted, () => {
      if (pins.uts !== undefined) setHostname(hostname);
      configure();
      for (const [index, kind] of wanted.entries()) {
        mount(`/proc/thread-self/ns/${kind}`, paths[index] ?? "", "", mountFlag.bind);
        failpoint("net.namespace-pinned");
      }
    });
  } catch (error) {
    removePins(paths);
    throw error;
  }
}

/** Takes pins away, whether mounted, half made or gone. @throws SystemError naming the first that stays */
export function removePins(paths: readonly string[]): void {
  for (const path of paths) {
    // Several mounts can lie on one path after a crash in between; each call takes one off.
    while (libc.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) === 0) failpoint("net.namespace-unpinned");
    try {
      rmSync(path, { force: true });
    } catch (cause) {
      throw new SystemError(`remove namespace pin "${path}"`, { errno: errnoOf(cause) ?? errnoName(0), cause });
    }
  }
}

export function setHostname(hostname: string): void {
  const length = Buffer.byteLength(hostname);
  if (length > maxHostnameBytes) {
    throw new SystemError(`set host name "${hostname}": ${length} bytes, at most ${maxHostnameBytes} fit`, {
      errno: "EINVAL",
    });
  }
  check(libc.sethostname(hostname, length), `set host name "${hostname}"`);
}

function identityOf(kind: Kind): string {
  return readlinkSync(`/proc/thread-self/ns/${kind}`);
}
