import { AgentError, errorText } from "../common/errors.ts";
import { runProgram } from "./run-program.ts";

/** What an OCI runtime and this kernel can do together. */
export interface RuntimeFeatures {
  /** Mounts that are read-only with all mounts below them. */
  readonly recursiveReadOnly: boolean;
  /** Containers that join a user namespace. Whether files can have its owners is another question: the host's. */
  readonly userNamespaces: boolean;
}

/** What is certain of a runtime that nobody could ask. */
export const noFeatures: RuntimeFeatures = { recursiveReadOnly: false, userNamespaces: false };

/** The first crun known to take "rro" that has no command to say so. */
const crunWithRro: readonly [number, number] = [1, 8];
/** mount_setattr(2), which changes a whole tree of mounts. */
const kernelWithRro: readonly [number, number] = [5, 12];
const timeoutMs = 10_000;

/**
 * Asks a runtime for its features: by `features` (runtime-spec features.md), or by its version where it is older.
 * @param binary a path or a name; empty: a runtime inside a shim, which nobody can ask
 * @throws AgentError when it can't be run
 */
export async function readRuntimeFeatures(binary: string, kernelRelease: string): Promise<RuntimeFeatures> {
  if (binary === "") return noFeatures;
  const run = (argument: string) =>
    runProgram(`"${binary} ${argument}"`, {
      program: binary,
      args: [argument],
      cwd: "/",
      env: {},
      input: Buffer.alloc(0),
      timeoutMs,
    });
  try {
    return parseFeatures((await run("features")).toString(), kernelRelease);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "Unavailable") throw error;
    return parseVersion((await run("--version")).toString(), kernelRelease);
  }
}

/** @param text what `runc features` prints @throws AgentError Unavailable for anything else */
export function parseFeatures(text: string, kernelRelease: string): RuntimeFeatures {
  try {
    const { mountOptions, linux } = JSON.parse(text) as {
      readonly mountOptions?: readonly string[];
      readonly linux?: { readonly namespaces?: readonly string[] };
    };
    const known = Array.isArray(mountOptions) && mountOptions.includes("rro");
    const namespaces = linux?.namespaces;
    return {
      recursiveReadOnly: known && atLeast(kernelRelease, kernelWithRro),
      userNamespaces: Array.isArray(namespaces) && namespaces.includes("user"),
    };
  } catch (error) {
    throw new AgentError("Unavailable", `The runtime's features can't be read: ${errorText(error)}`);
  }
}

/** @param text such as "crun version 1.8.1\ncommit: …" */
export function parseVersion(text: string, kernelRelease: string): RuntimeFeatures {
  const version = /^crun version (\S+)/.exec(text)?.[1] ?? "";
  const known = atLeast(version, crunWithRro);
  return { recursiveReadOnly: known && atLeast(kernelRelease, kernelWithRro), userNamespaces: known };
}

function atLeast(text: string, [major, minor]: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(text);
  if (match === null) return false;
  const [found, foundMinor] = [Number(match[1]), Number(match[2])];
  return found > major || (found === major && foundMinor >= minor);
}
