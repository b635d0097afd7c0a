import { readdirSync } from "node:fs";
import { netnsDirectory } from "../system/netns-directory.ts";

/**
 * Pins of an instance's pods that belong to no sandbox: the 13 digits at the end are the sandbox's own.
 * @param known ids of the sandboxes that have records
 */
export function strayPodPins(instance: string, known: ReadonlySet<string>): readonly string[] {
  const digits = new Set(Array.from(known, (id) => id.slice(0, 13)));
  const prefix = `podling-${instance}-`;
  return readdirSync(netnsDirectory)
    .filter((name) => name.startsWith(prefix) && /^[0-9a-f]{13}$/.test(name.slice(prefix.length)))
    .filter((name) => !digits.has(name.slice(prefix.length)))
    .map((name) => `${netnsDirectory}/${name}`);
}
