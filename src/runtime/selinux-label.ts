import type { SelinuxOptions } from "./container-settings.ts";

/** The contexts that a host's policy gives to containers, each "user:role:type:level". */
export interface SelinuxContexts {
  readonly process: string;
  readonly file: string;
}

/** What a container's process runs as, and what the files made for it are marked with. */
export interface SelinuxLabels {
  /** undefined: what the runtime itself runs as. */
  readonly process: string | undefined;
  readonly mount: string;
}

/** Categories of multi-category security in the policies of Fedora, RHEL and Debian: c0 to c1023. */
const categories = 1024;
const pairs = (categories * (categories - 1)) / 2;

/**
 * A level that no other pod has, so that pods can't reach each other's files.
 * @param seed hexadecimal, such as the pod's id: where the search begins
 * @param taken levels of the other pods
 */
export function pickLevel(contexts: SelinuxContexts, seed: string, taken: ReadonlySet<string>): string {
  const sensitivity = splitContext(contexts.process).level.split(":")[0] ?? "s0";
  const start = Number.parseInt(seed.slice(0, 8), 16) % pairs;
  for (let step = 0; step < pairs; step++) {
    const level = `${sensitivity}:${pairOf((start + step) % pairs)}`;
    if (!taken.has(level)) return level;
  }
  return `${sensitivity}:${pairOf(start)}`;
}

/** The pair of different categories with this number, the smaller one first. */
function pairOf(number: number): string {
  // Pairs are counted row by row: those below (high) number high * (high - 1) / 2.
  const high = Math.floor((1 + Math.sqrt(1 + 8 * number)) / 2);
  return `c${number - (high * (high - 1)) / 2},c${high}`;
}

/**
 * The labels of a container or of a pod's own files.
 * @param asked the container's options, or the pod's where it has none; undefined: the policy's own
 * @param podLevel what the pod was given, for those who name no level
 */
export function planSelinuxLabels(
  contexts: SelinuxContexts,
  asked: SelinuxOptions | undefined,
  podLevel: string,
  privileged: boolean,
): SelinuxLabels {
  const level = asked?.level || podLevel;
  const process = splitContext(contexts.process);
  const file = splitContext(contexts.file);
  const user = asked?.user;
  return {
    process: privileged
      ? undefined
      : [user || process.user, asked?.role || process.role, asked?.type || process.type, level].join(":"),
    mount: [user || file.user, file.role, file.type, level].join(":"),
  };
}

function splitContext(context: string): { user: string; role: string; type: string; level: string } {
  const [user = "", role = "", type = "", ...level] = context.split(":");
  return { user, role, type, level: level.join(":") };
}
