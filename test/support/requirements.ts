import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** Where `make tools` puts what it builds. */
export const toolsDirectory = join(import.meta.dirname, "../../tools/bin");

/**
 * Says whether a suite has to be skipped, for `describe.skipIf`. Under CI nothing is skipped: what is missing fails.
 * @param programs names to be found in tools/bin or PATH, or absolute paths
 */
export function cannotRun(...programs: readonly string[]): boolean {
  const places = [toolsDirectory, ...(process.env["PATH"] ?? "").split(delimiter)];
  const missing = programs.filter((program) => !places.some((place) => isProgram(resolve(place, program))));
  const lacks = [...missing, ...(process.getuid?.() === 0 ? [] : ["root"])];
  if (lacks.length > 0 && process.env["CI"]) {
    throw new Error(`These tests need ${lacks.join(", ")}: run "make setup tools" as root`);
  }
  return lacks.length > 0;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
