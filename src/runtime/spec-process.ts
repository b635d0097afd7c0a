import { posix } from "node:path";
import { AgentError } from "../common/errors.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciProcess, OciRlimit } from "./oci-spec.ts";
import type { SpecImage, SpecInput } from "./spec-input.ts";
import { planCapabilities } from "./spec-security.ts";

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Debian's containerd gives its containers this many files. */
const nofileLimit = 1_048_576;

/**
 * The process of a container: what containerd's CRI plugin builds from the image config and the request.
 * @throws AgentError InvalidArgument naming the field
 */
export function planProcess(input: SpecInput): OciProcess {
  const { settings, image, user, facts } = input;
  return {
    terminal: settings.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.supplementalGroups },
    args: planArgs(settings.command, settings.args, image),
    env: planEnv(input),
    cwd: planWorkingDir(settings.workingDir, image.workingDir),
    capabilities: planCapabilities(settings.security, facts),
    rlimits: planRlimits(facts),
    noNewPrivileges: settings.security.noNewPrivileges,
    oomScoreAdj: planOomScoreAdj(settings.resources.oomScoreAdj, facts),
  };
}

/** A command replaces the entrypoint and the image's own arguments; arguments alone go to the image's entrypoint. */
function planArgs(command: readonly string[], args: readonly string[], image: SpecImage): readonly string[] {
  const entrypoint = image.entrypoint.length === 1 && image.entrypoint[0] === "" ? [] : image.entrypoint;
  const planned = command.length > 0 ? [...command, ...args] : [...entrypoint, ...(args.length > 0 ? args : image.cmd)];
  if (planned.length === 0 || planned[0] === "") {
    throw new AgentError(
      "InvalidArgument",
      "No command specified: set command or args, or use an image with an entrypoint or a command",
    );
  }
  for (const word of planned) refuseNul("command or args", word);
  return planned;
}

/** PATH, TERM and HOSTNAME, then the image's variables, then the request's; a later value takes the earlier one's place. */
function planEnv({ settings, image, sandbox }: SpecInput): readonly string[] {
  const env = new Map<string, string>();
  const set = (entry: string) => env.set(entry.slice(0, entry.indexOf("=")), entry);
  set(defaultPath);
  if (settings.tty) set("TERM=xterm");
  set(`HOSTNAME=${sandbox.hostname}`);
  for (const entry of image.env) {
    refuseNul("env of the image", entry);
    // An image built by hand may name a variable without a value; like containerd, take that as "unset it".
    if (entry.indexOf("=") > 0) set(entry);
    else env.delete(entry);
  }
  for (const [index, { name, value }] of settings.envs.entries()) {
    if (name === "" || name.includes("=") || name.includes("\0")) {
      throw new AgentError(
        "InvalidArgument",
        `Invalid envs[${index}].key ${JSON.stringify(name.slice(0, 100))}: must be a name without "="`,
      );
    }
    refuseNul(`envs[${index}].value of ${name}`, value);
    set(`${name}=${value}`);
  }
  return [...env.values()];
}

function planWorkingDir(requested: string, ofImage: string): string {
  const asked = requested || ofImage || "/";
  const cwd = posix.normalize(asked);
  refuseNul("working_dir", asked);
  if (!cwd.startsWith("/")) throw invalidWorkingDir(asked, "an absolute path");
  // A runtime that leaks a descriptor would start the process in a host directory (CVE-2024-21626).
  if (cwd === "/proc" || cwd.startsWith("/proc/")) throw invalidWorkingDir(asked, "outside /proc");
  return cwd;
}

function invalidWorkingDir(path: string, want: string): AgentError {
  return new AgentError(
    "InvalidArgument",
    `Invalid working_dir ${JSON.stringify(path.slice(0, 200))} of the request or image: must be ${want}`,
  );
}

/** A limit above our own hard limit would make the runtime's setrlimit fail without CAP_SYS_RESOURCE. */
function planRlimits(facts: HostFacts): readonly OciRlimit[] {
  const limit = facts.hasCapSysResource ? nofileLimit : Math.min(nofileLimit, facts.nofileHardLimit);
  return [{ type: "RLIMIT_NOFILE", hard: limit, soft: limit }];
}

/** Going below our own score takes CAP_SYS_RESOURCE (proc_pid_oom_score_adj(5)); without it our own is the least. */
function planOomScoreAdj(asked: number, facts: HostFacts): number {
  if (!Number.isInteger(asked) || asked < -1000 || asked > 1000) {
    throw new AgentError("InvalidArgument", `Invalid oom_score_adj ${asked}: must be from -1000 to 1000`);
  }
  return facts.hasCapSysResource ? asked : Math.max(asked, facts.ownOomScoreAdj);
}

function refuseNul(field: string, text: string): void {
  if (text.includes("\0")) throw new AgentError("InvalidArgument", `Invalid ${field}: must not hold a NUL byte`);
}
