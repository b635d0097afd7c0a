import { instanceProcesses } from "./instance-objects.ts";
import type { World } from "./world.ts";

/** Stops the shim of a pod, as a debugger or a swapped-out host would; disposing lets it go on. */
export function stopShim({ agent }: Pick<World, "agent">, podId: string): Disposable {
  const shim = instanceProcesses(agent.instance.name).find(({ what }) => what.includes(`-id ${podId}`));
  if (shim === undefined) throw new Error(`No shim of pod ${podId} runs`);
  process.kill(shim.pid, "SIGSTOP");
  return {
    [Symbol.dispose]: () => {
      try {
        process.kill(shim.pid, "SIGCONT");
      } catch {
        // ended meanwhile, as it may be meant to
      }
    },
  };
}
