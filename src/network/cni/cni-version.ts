import { AgentError } from "../../common/errors.ts";

/** The versions of the CNI specification that Podling speaks, lowest first. */
export const cniVersions = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type CniVersion = (typeof cniVersions)[number];

/** Whether the version has what `since` brought. */
export function hasSince(version: CniVersion, since: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(since);
}

/** Those of the texts that Podling speaks. */
export function knownVersions(texts: readonly string[]): readonly CniVersion[] {
  return cniVersions.filter((version) => texts.includes(version));
}

/**
 * The highest version that a network's configuration offers and all of its plugins speak.
 * @param offered by the configuration
 * @param plugins what each plugin says it speaks, by its type
 * @throws AgentError FailedPrecondition naming what each side speaks
 */
export function negotiateVersion(
  offered: readonly CniVersion[],
  plugins: ReadonlyMap<string, readonly string[]>,
): CniVersion {
  const common = offered.filter((version) => [...plugins.values()].every((spoken) => spoken.includes(version)));
  const highest = cniVersions.findLast((version) => common.includes(version));
  if (highest !== undefined) return highest;
  const spoken = [...plugins].map(([type, versions]) => `plugin "${type}" speaks ${versions.join(", ")}`);
  throw new AgentError(
    "FailedPrecondition",
    `The configuration offers CNI ${offered.join(", ")}, and ${spoken.join("; ")}: a version must be common to all`,
  );
}
