import { AgentError, SystemError } from "../common/errors.ts";
import type { NamespacePins } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import { prepareNetnsDirectory } from "../system/netns-directory.ts";

/**
 * A pod's namespaces. They are pinned by bind mounts instead of held by a pause process, so they cost no process and
 * outlive the agent; a reboot ends them with all the rest.
 */
export interface PodNamespaces {
  /**
   * Makes the namespaces whose paths are given, pinned there; in the network one "lo" is up.
   * @param hostname of the UTS namespace, at most 64 bytes
   * @throws AgentError SystemFailure, with nothing left behind; a path that exists already is refused
   */
  create(paths: NamespacePins, hostname: string): Promise<void>;
  /** Takes the pins away; gone already counts as done. @throws AgentError SystemFailure */
  remove(paths: NamespacePins): Promise<void>;
}

/** Namespaces made by the kernel worker. */
export class PinnedNamespaces implements PodNamespaces {
  readonly #kernel: KernelWorker;
  #prepared = false;

  constructor(kernel: KernelWorker) {
    this.#kernel = kernel;
  }

  async create(paths: NamespacePins, hostname: string): Promise<void> {
    await naming("Cannot make the pod's namespaces", async () => {
      if (!this.#prepared) prepareNetnsDirectory();
      this.#prepared = true;
      await this.#kernel.run([{ kind: "createNamespaces", pins: paths, hostname }]);
    });
  }

  async remove(paths: NamespacePins): Promise<void> {
    const all = [paths.net, paths.ipc, paths.uts].filter((path) => path !== undefined);
    await naming("Cannot remove the pod's namespaces", () => this.#kernel.run([{ kind: "removePins", paths: all }]));
  }
}

async function naming(action: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new AgentError("SystemFailure", action, { cause });
  }
}
