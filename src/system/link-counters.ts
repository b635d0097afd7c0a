import { closeSync, openSync, readFileSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";
import { HomeNamespaces } from "./thread-namespaces.ts";

/** What a link has carried since it was made, as its own namespace sees it. */
export interface LinkCounters {
  readonly name: string;
  readonly received: TrafficCounters;
  readonly sent: TrafficCounters;
}

export interface TrafficCounters {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/**
 * Reads links' counters inside network namespaces. The kernel's table of them as text is one read, a quarter of what a
 * netlink socket and its dump cost; and nothing stays open that would keep a namespace alive whose pod is gone. Only for
 * a thread of its own, whose namespace it changes.
 */
export class LinkCounterReader {
  readonly #home = new HomeNamespaces();

  /** @param netns path of the namespace's pin @throws SystemError ENOENT when there is none, EINVAL for what is none */
  read(netns: string): readonly LinkCounters[] {
    const fd = openPin(netns);
    try {
      const step = `read the counters of "${netns}"`;
      return parseLinkCounters(this.#home.inside(fd, step, () => readFileSync("/proc/thread-self/net/dev", "utf8")));
    } finally {
      closeSync(fd);
    }
  }
}

function openPin(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new SystemError(`open network namespace "${path}"`, { errno: errnoOf(cause) ?? "EIO", cause });
  }
}

/**
 * Lines of proc_pid_net(5)'s dev: a name, a colon, and eight numbers each for receiving and sending, of which the first
 * four are bytes, packets, errors and drops.
 */
export function parseLinkCounters(table: string): readonly LinkCounters[] {
  return [...table.matchAll(/^\s*([^\s:]+):((?:\s*\d+){16})\s*$/gm)].map(([, name = "", numbers = ""]) => {
    const counts = numbers.trim().split(/\s+/).map(Number);
    const at = (start: number): TrafficCounters => {
      const [bytes = 0, packets = 0, errors = 0, dropped = 0] = counts.slice(start, start + 4);
      return { bytes, packets, errors, dropped };
    };
    return { name, received: at(0), sent: at(8) };
  });
}
