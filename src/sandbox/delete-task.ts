import { hasCode } from "../common/errors.ts";
import type { Shim } from "../runtime/shim.ts";

const SIGKILL = 9;

/** Kills a task if it runs, and deletes it. One that is gone already, or whose shim is, counts as deleted. */
export async function deleteTask(shim: Shim, id: string): Promise<void> {
  try {
    const { kind } = await shim.state(id);
    if (kind !== "stopped") {
      await shim.kill(id, { signal: SIGKILL, all: true });
      await shim.wait(id);
    }
    await shim.delete(id);
  } catch (error) {
    // NotFound: deleted, or ended between two of the steps; Unavailable: the shim has gone, and its tasks' clean-up
    // is the business of whoever finds out.
    if (hasCode(error, "Unavailable")) return;
    if (!hasCode(error, "NotFound")) throw error;
    await shim.delete(id).catch((again: unknown) => {
      if (!hasCode(again, "Unavailable")) throw again;
    });
  }
}
