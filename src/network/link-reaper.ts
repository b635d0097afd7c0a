import { errnoOf, errorText } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Log } from "../common/log.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";

/** What a released ENI leaves in its router. */
export interface DyingLink {
  readonly netns: string;
  readonly name: string;
  /** Addresses whose tracked connections are to be forgotten. */
  readonly addresses: readonly string[];
  /** undefined: no record tells of it. */
  readonly eniId: string | undefined;
}

/** Most pods' namespaces go right after their network, and their links with them at no cost to anybody. */
const graceMs = 300;
const retryMs = 5_000;
/** Marks the links one kernel request shall delete; routers have no other groups. */
const dyingGroup = 0x706f_646c;

/**
 * Sees to it that the links and connections of released ENIs go. Deleting a link takes the kernel 20 ms, as does
 * deleting a hundred of one group, and looking through the tracked connections 10 ms: so links are given time to go
 * with their pod's namespace, the rest goes in one request, and a worker of its own does it, for others need not wait.
 */
export class LinkReaper implements AsyncDisposable {
  readonly #kernel: KernelWorker;
  readonly #log: Log;
  readonly #onGone: (eniIds: readonly string[]) => void;
  readonly #dying = new Map<string, DyingLink>();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  /** @param onGone hears of the ENIs whose links are known to be gone, many at a time */
  constructor(kernel: KernelWorker, log: Log, onGone: (eniIds: readonly string[]) => void) {
    this.#kernel = kernel;
    this.#log = log;
    this.#onGone = onGone;
  }

  /** Takes charge of a link. */
  add(link: DyingLink): void {
    this.#dying.set(`${link.netns} ${link.name}`, link);
    this.#schedule(graceMs);
  }

  /** Deletes what is left now. @throws SystemError; the links stay in charge and are tried again */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const work = this.#working.then(() => this.#reap());
    this.#working = work.catch((error: unknown) => {
      this.#log.warn({ error: errorText(error) }, "links of released interfaces are left for a later try");
      this.#schedule(retryMs);
    });
    return work;
  }

  /** Ends the background work; links in charge stay for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), delayMs).unref();
  }

  async #reap(): Promise<void> {
    const byNetns = Map.groupBy(this.#dying.values(), ({ netns }) => netns);
    for (const [netns, links] of byNetns) {
      const left = await this.#existing(netns, links);
      if (left.length > 0) {
        await this.#delete(netns, left);
        failpoint("net.links-deleted");
      }
      await this.#forgetConnections(netns, links);
      this.#onGone(links.map(({ eniId }) => eniId).filter((id) => id !== undefined));
      for (const { name } of links) this.#dying.delete(`${netns} ${name}`);
    }
  }

  async #existing(netns: string, links: readonly DyingLink[]): Promise<readonly string[]> {
    try {
      const names = new Set((await this.#kernel.listLinks(netns)).map(({ name }) => name));
      return links.map(({ name }) => name).filter((name) => names.has(name));
    } catch (error) {
      // Without its router no link is left.
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  async #forgetConnections(netns: string, links: readonly DyingLink[]): Promise<void> {
    const addresses = links.flatMap((link) => link.addresses);
    if (addresses.length === 0) return;
    try {
      await this.#kernel.run([{ kind: "forgetConnections", netns, addresses }]);
    } catch (error) {
      // Without its router no connection is left. Otherwise they die of age, and the addresses rest meanwhile.
      if (errnoOf(error) === "ENOENT") return;
      this.#log.warn(
        { addresses, error: errorText(error) },
        "connections of released addresses stay until they expire",
      );
    }
  }

  #delete(netns: string, names: readonly string[]): Promise<void> {
    // A link that goes by itself meanwhile is no failure; an empty group says ENODEV too.
    const ignore = ["ENODEV"];
    const mark = names.map((link) => ({ kind: "setLink", link, group: dyingGroup }) as const);
    return this.#kernel.run([
      { kind: "links", netns, requests: mark, ignore },
      { kind: "links", netns, requests: [{ kind: "deleteGroup", group: dyingGroup }], ignore },
    ]);
  }
}
