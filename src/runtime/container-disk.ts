import { AgentError } from "../common/errors.ts";
import { removeTree } from "../system/files.ts";

/**
 * Removes what a container wrote: its writable layer and the volumes of its image. Gone counts as done.
 * @throws AgentError SystemFailure
 */
export async function removeContainerDisk(directory: string): Promise<void> {
  try {
    await removeTree(directory);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't remove the container's disk "${directory}"`, { cause });
  }
}
