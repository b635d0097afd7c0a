import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AgentError, errnoOf } from "../../common/errors.ts";
import { Semaphore } from "../../common/semaphore.ts";
import { type CapturedProcess, captureProcess, endName, killSession } from "../../system/captured-process.ts";
import { cniVersions } from "./cni-version.ts";
import type { PluginCall } from "./plan-calls.ts";
import { pluginError } from "./plugin-error.ts";

export interface PluginProgramsOptions {
  /** Where programs are looked for, in this order. */
  readonly binDirs: readonly string[];
  readonly timeoutMs: number;
  /** Marks the processes, so that a later agent of the same instance finds those that outlived this one. */
  readonly owner: string;
}

/** The environment variable whose value is the owner. */
export const ownerVariable = "PODLING_CNI_OWNER";

/** More than any result, and little enough to be held many times. */
const mostOutputBytes = 1 << 20;
const parallelAdds = 16;
const parallelOthers = 16;
/** For questions, which need no network. */
const longestQuestionMs = 10_000;
const versionAnswer = z.looseObject({ supportedVersions: z.array(z.string()) });
/** Plugins of old want all of them, whatever is asked. */
const versionEnv = { CNI_CONTAINERID: "dummy", CNI_NETNS: "dummy", CNI_IFNAME: "dummy" };

/** The programs of CNI plugins: found by name, run within bounds. */
export class PluginPrograms {
  readonly #options: PluginProgramsOptions;
  /** Apart, so that pods whose ADD hangs keep no other from its DEL. */
  readonly #addSlots = new Semaphore(parallelAdds);
  readonly #otherSlots = new Semaphore(parallelOthers);
  /** What a program speaks, by what tells one build of it from another. */
  readonly #spoken = new Map<string, readonly string[]>();

  constructor(options: PluginProgramsOptions) {
    this.#options = options;
  }

  /**
   * Runs a plugin to its end; one that takes too long or prints too much is killed with what it started.
   * @returns its standard output
   * @throws AgentError FailedPrecondition when there is no such program, DeadlineExceeded; PluginError
   */
  async run(call: PluginCall): Promise<string> {
    const { path } = await this.#find(call.type);
    using _slot = await (call.command === "ADD" ? this.#addSlots : this.#otherSlots).acquire();
    return await this.#run(path, call);
  }

  /** The versions that a plugin says it speaks. @throws AgentError as {@link run} */
  async spokenVersions(type: string): Promise<readonly string[]> {
    const { build } = await this.#find(type);
    const known = this.#spoken.get(build);
    if (known !== undefined) return known;
    const input = JSON.stringify({ cniVersion: cniVersions.at(-1) });
    const output = await this.run({ type, command: "VERSION", env: versionEnv, input });
    const versions = readVersions(type, output);
    this.#spoken.set(build, versions);
    return versions;
  }

  async #find(type: string): Promise<{ readonly path: string; readonly build: string }> {
    for (const directory of this.#options.binDirs) {
      const path = join(directory, type);
      try {
        const { dev, ino, size, mtimeMs } = await stat(path);
        return { path, build: [path, dev, ino, size, mtimeMs].join(" ") };
      } catch (error) {
        if (!["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
      }
    }
    throw new AgentError(
      "FailedPrecondition",
      `CNI plugin "${type}" is not there: it must be in one of ${this.#options.binDirs.join(", ")}`,
    );
  }

  async #run(path: string, call: PluginCall): Promise<string> {
    const { timeoutMs: longestMs } = this.#options;
    const isQuestion = call.command === "VERSION" || call.command === "STATUS";
    const timeoutMs = isQuestion ? Math.min(longestQuestionMs, longestMs) : longestMs;
    const what = `CNI plugin "${call.type}"`;
    let tooLong = false;
    const plugin = this.#start(path, call, () => {
      tooLong = true;
      killSession(plugin.pid);
    });
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      killSession(plugin.pid);
    }, timeoutMs);
    const end = await plugin.ended;
    clearTimeout(timer);
    const [output, errors] = (await Promise.all([plugin.output.end(), plugin.errors.end()])).map(String);
    if (tooLong) {
      throw new AgentError("Unavailable", `${what} printed more than ${mostOutputBytes} bytes for ${call.command}`);
    }
    if (expired) {
      throw new AgentError(
        "DeadlineExceeded",
        `${what} did not end its ${call.command} within ${timeoutMs / 1000} s and was killed`,
      );
    }
    if ("code" in end && end.code === 0) return output ?? "";
    const { type, command } = call;
    throw pluginError({ type, command, end: endName(end), output: output ?? "", errors: errors ?? "" });
  }

  #start(path: string, { type, command, env, input }: PluginCall, onOverflow: () => void): CapturedProcess {
    const { binDirs, owner } = this.#options;
    const all = { ...env, CNI_COMMAND: command, CNI_PATH: binDirs.join(":"), [ownerVariable]: owner };
    try {
      return captureProcess({
        program: path,
        args: [],
        cwd: "/",
        env: all,
        input: Buffer.from(input),
        mostOutputBytes,
        onOverflow,
      });
    } catch (cause) {
      throw new AgentError("FailedPrecondition", `CNI plugin "${type}" can't be run: "${path}" must be a program`, {
        cause,
      });
    }
  }
}

/** @throws AgentError FailedPrecondition */
function readVersions(type: string, output: string): readonly string[] {
  try {
    return versionAnswer.parse(JSON.parse(output)).supportedVersions;
  } catch (cause) {
    throw new AgentError(
      "FailedPrecondition",
      `CNI plugin "${type}" can't be used: it must answer VERSION with its supportedVersions`,
      { cause },
    );
  }
}
