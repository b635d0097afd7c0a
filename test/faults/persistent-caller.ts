import type { World } from "../support/world.ts";

/** A client that, like kubelet, repeats a call until it is done; and that starts the agent again when it has died. */
export class PersistentCaller {
  readonly #world: World;
  readonly #onRestart: () => Promise<void>;
  /** How often the agent died. */
  deaths = 0;

  /** @param onRestart looks at the agent right after each restart */
  constructor(world: World, onRestart: () => Promise<void>) {
    this.#world = world;
    this.#onRestart = onRestart;
  }

  /** Makes the call, and once more for each death of the agent meanwhile. @throws what a living agent answers */
  async call<Result>(attempt: (client: World["client"]) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await attempt(this.#world.client);
      } catch (error) {
        if (!(await this.revive())) throw error;
      }
    }
  }

  /** Starts the agent if it is dead or dies within the time. @returns whether it did */
  async revive(timeoutMs = 1_000): Promise<boolean> {
    const { agent } = this.#world;
    const died = await agent.ended(timeoutMs).then(
      () => true,
      () => false,
    );
    if (!died) return false;
    this.deaths++;
    await agent.start();
    await this.#onRestart();
    return true;
  }
}
