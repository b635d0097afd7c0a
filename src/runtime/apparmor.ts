import { existsSync, readFileSync } from "node:fs";
import { AgentError, errnoOf } from "../common/errors.ts";
import { runProgram } from "./run-program.ts";

/** The profile that "RuntimeDefault" means; every agent of the host loads the same one. */
export const defaultApparmorProfile = "podling-default";

const profilesFile = "/sys/kernel/security/apparmor/profiles";
const parserPlaces = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"];
const loadTimeoutMs = 30_000;

/** Whether this kernel confines by AppArmor. */
export function hasApparmor(): boolean {
  try {
    return readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").startsWith("Y") && existsSync(profilesFile);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * The names of the profiles that are loaded, the default one among them where apparmor_parser is installed: it is loaded
 * when it is not. To be called only where {@link hasApparmor}.
 * @throws AgentError SystemFailure, or Unavailable with the parser's words
 */
export async function loadedApparmorProfiles(): Promise<ReadonlySet<string>> {
  const loaded = readProfiles();
  const parser = parserPlaces.find((path) => existsSync(path));
  if (loaded.has(defaultApparmorProfile) || parser === undefined) return loaded;
  await runProgram("apparmor_parser", {
    program: parser,
    // No cache file; a profile of the name that another agent loaded meanwhile is the same one.
    args: ["--skip-cache", "--replace"],
    cwd: "/",
    env: {},
    input: Buffer.from(renderDefaultProfile()),
    timeoutMs: loadTimeoutMs,
  });
  return readProfiles();
}

function readProfiles(): ReadonlySet<string> {
  try {
    return parseProfiles(readFileSync(profilesFile, "utf8"));
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't read the AppArmor profiles in "${profilesFile}"`, { cause });
  }
}

/** @param text lines such as "docker-default (enforce)" */
export function parseProfiles(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^(.+) \([a-z]+\)$/gm)].map(([, name = ""]) => name));
}

/**
 * The default profile, in the language of apparmor.d(5), without includes so that it needs nothing of the host but the
 * parser. It lets a container do what its capabilities and mounts let it do, and closes what those leave open: the
 * kernel's switches in /proc and /sys, and new mounts.
 */
export function renderDefaultProfile(): string {
  const rules = [
    "network,",
    "capability,",
    "file,",
    "umount,",
    // What starts and stops containers, and the container's own processes.
    "signal (receive) peer=unconfined,",
    "signal (receive) peer=runc,",
    "signal (receive) peer=crun,",
    `signal (send, receive) peer=${defaultApparmorProfile},`,
    `ptrace (trace, read, tracedby, readby) peer=${defaultApparmorProfile},`,
    `unix peer=(label=${defaultApparmorProfile}),`,
    "deny mount,",
    // Of /proc, only the processes' own directories and the switches of the pod's IPC and network may be written.
    "deny /proc/* w,",
    "deny /proc/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,",
    "deny /proc/sys/[^kn]** w,",
    "deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,",
    "deny /proc/sysrq-trigger rwklx,",
    "deny /proc/kcore rwklx,",
    "deny /sys/[^f]*/** wklx,",
    "deny /sys/f[^s]*/** wklx,",
    "deny /sys/fs/[^c]*/** wklx,",
    "deny /sys/fs/c[^g]*/** wklx,",
    "deny /sys/fs/cg[^r]*/** wklx,",
    "deny /sys/firmware/** rwklx,",
    "deny /sys/devices/virtual/powercap/** rwklx,",
    "deny /sys/kernel/security/** rwklx,",
  ];
  const body = rules.map((rule) => `  ${rule}\n`).join("");
  return `profile ${defaultApparmorProfile} flags=(attach_disconnected,mediate_deleted) {\n${body}}\n`;
}
