import { sweepInstance } from "./sweep-instance.ts";
import { abandonedInstances, locate } from "./test-instance.ts";

/** Before a run: takes off the host what earlier runs left that were killed before they could clean up. */
export async function setup(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  for (const name of abandonedInstances()) await sweepInstance(locate(name));
}
