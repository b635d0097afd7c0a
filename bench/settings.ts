/** On what both sides keep their images and containers. */
export const storageKinds = ["tmpfs", "ext4", "disk"] as const;
export type StorageKind = (typeof storageKinds)[number];

/** What the caller asks for. */
export interface Settings {
  /** How often each side does each piece of work, after one round that is not counted. */
  readonly rounds: number;
  /** Pods a side runs in each round. */
  readonly pods: number;
  readonly storage: StorageKind;
  /** Names of the cases to run, in their own order. */
  readonly cases: ReadonlySet<string>;
}

/**
 * Reads ROUNDS, PODS, STORAGE and CASES.
 * @param known names that CASES may hold
 * @throws Error naming the variable
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): Settings {
  const storage = environment["STORAGE"] || "tmpfs";
  const kind = storageKinds.find((one) => one === storage);
  if (kind === undefined) throw new Error(`STORAGE="${storage}": must be one of ${storageKinds.join(", ")}`);
  const names = (environment["CASES"] ?? "").split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`CASES holds "${unknown}": known are ${known.join(", ")}`);
  return {
    rounds: readCount(environment, "ROUNDS", 5),
    pods: readCount(environment, "PODS", 5),
    storage: kind,
    cases: new Set(names.length === 0 ? known : names),
  };
}

function readCount(environment: Readonly<Record<string, string | undefined>>, name: string, preset: number): number {
  const text = environment[name] || String(preset);
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${name}="${text}": must be a whole number, 1 or more`);
  return count;
}
