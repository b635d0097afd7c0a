import { AgentError, SystemError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { NamespacePins } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import { prepareNetnsDirectory } from "../system/netns-directory.ts";
import { createOwnedNamespaces } from "../system/user-namespace.ts";
import { mapLine, type UserMapping } from "./id-mapping.ts";
import { defaultPodSysctls, sysctlFiles } from "./pod-sysctls.ts";

/** Where a pod's own namespaces are pinned; a missing one is the host's. */
export interface PodPins extends NamespacePins {
  /** The user namespace that owns the others. */
  readonly user?: string;
}

/**
 * A pod's namespaces. They are pinned by bind mounts instead of held by a pause process, so they cost no process and
 * outlive the agent; a reboot ends them with all the rest.
 */
export interface PodNamespaces {
  /**
   * Makes the namespaces whose paths are given, pinned there; in the network one "lo" is up.
   * @param hostname of the UTS namespace, at most 64 bytes
   * @param mapping of the user namespace, when one is to own them
   * @throws AgentError SystemFailure, with nothing left behind; a path that exists already is refused
   */
  create(paths: PodPins, hostname: string, mapping?: UserMapping): Promise<void>;
  /**
   * Sets kernel parameters of the pinned namespaces.
   * @param values by key with dots, such as "net.core.somaxconn"
   * @throws AgentError InvalidArgument for one that the kernel does not know or take
   */
  setSysctls(paths: NamespacePins, values: Readonly<Record<string, string>>): Promise<void>;
  /** Takes the pins away; gone already counts as done. @throws AgentError SystemFailure */
  remove(paths: PodPins): Promise<void>;
}

/** Namespaces made by the kernel worker. */
export class PinnedNamespaces implements PodNamespaces {
  readonly #kernel: KernelWorker;
  #prepared = false;

  constructor(kernel: KernelWorker) {
    this.#kernel = kernel;
  }

  async create(paths: PodPins, hostname: string, mapping?: UserMapping): Promise<void> {
    await naming("Cannot make the pod's namespaces", async () => {
      if (!this.#prepared) prepareNetnsDirectory();
      this.#prepared = true;
      const sysctls = paths.net === undefined ? {} : sysctlFiles(defaultPodSysctls);
      const { user, ...pins } = paths;
      if (user === undefined || mapping === undefined) {
        await this.#kernel.run([{ kind: "createNamespaces", pins, hostname, sysctls }]);
        return;
      }
      await using undo = new AsyncDisposableStack();
      undo.defer(() => this.remove(paths));
      await createOwnedNamespaces({ ...pins, user }, { uids: mapLine(mapping.uids), gids: mapLine(mapping.gids) });
      failpoint("run.user-namespace-made");
      await this.#kernel.run([{ kind: "furnishNamespaces", pins, hostname, sysctls }]);
      undo.move();
    });
  }

  async setSysctls(paths: NamespacePins, values: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(values)) {
      try {
        await this.#kernel.run([{ kind: "podSysctls", pins: paths, values: sysctlFiles({ [name]: value }) }]);
      } catch (cause) {
        throw sysctlError(name, value, cause);
      }
    }
  }

  async remove(paths: PodPins): Promise<void> {
    const all = [paths.net, paths.ipc, paths.uts, paths.user].filter((path) => path !== undefined);
    await naming("Cannot remove the pod's namespaces", () => this.#kernel.run([{ kind: "removePins", paths: all }]));
  }
}

/** What the kernel answers to a name it does not have, or has not in a namespace, and to a value it does not take. */
const callersFaults: readonly (string | undefined)[] = ["ENOENT", "EINVAL", "ERANGE", "EACCES", "EPERM", "EISDIR"];

function sysctlError(name: string, value: string, cause: unknown): unknown {
  if (!(cause instanceof SystemError)) return cause;
  const code = callersFaults.includes(cause.errno) ? "InvalidArgument" : "SystemFailure";
  return new AgentError(code, `Can't set sysctl "${name}" to ${JSON.stringify(value.slice(0, 200))}`, { cause });
}

async function naming(action: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new AgentError("SystemFailure", action, { cause });
  }
}
