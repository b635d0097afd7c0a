/** On what both sides keep their images and containers. */
export const storageKinds = ["tmpfs", "ext4", "disk"] as const;
export type StorageKind = (typeof storageKinds)[number];

/** What Podling keeps its layers as; "auto" is its default. */
export const snapshotters = ["auto", "overlay", "erofs"] as const;
export type Snapshotter = (typeof snapshotters)[number];

/** What the caller asks for. */
export interface Settings {
  /** How often each side does each piece of work, after one round that is not counted. */
  readonly rounds: number;
  /** Pods a side runs in each round. */
  readonly pods: number;
  readonly storage: StorageKind;
  readonly snapshotter: Snapshotter;
  /** Names of the cases to run, in their own order. */
  readonly cases: ReadonlySet<string>;
}

/**
 * Reads ROUNDS, PODS, STORAGE, SNAPSHOTTER and CASES.
 * @param known names that CASES may hold
 * @throws Error naming the variable
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): Settings {
  const storage = readChoice(environment, "STORAGE", storageKinds, "tmpfs");
  const snapshotter = readChoice(environment, "SNAPSHOTTER", snapshotters, "auto");
  const names = (environment["CASES"] ?? "").split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`CASES holds "${unknown}": known are ${known.join(", ")}`);
  return {
    rounds: readCount(environment, "ROUNDS", 5),
    pods: readCount(environment, "PODS", 5),
    storage,
    snapshotter,
    cases: new Set(names.length === 0 ? known : names),
  };
}

function readChoice<Choice extends string>(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
  choices: readonly Choice[],
  preset: Choice,
): Choice {
  const text = environment[name] || preset;
  const found = choices.find((one) => one === text);
  if (found === undefined) throw new Error(`${name}="${text}": must be one of ${choices.join(", ")}`);
  return found;
}

function readCount(environment: Readonly<Record<string, string | undefined>>, name: string, preset: number): number {
  const text = environment[name] || String(preset);
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${name}="${text}": must be a whole number, 1 or more`);
  return count;
}
