import { readFileSync } from "node:fs";

/** One mount of this process's mount namespace. */
export interface MountInfo {
  /** Where it is mounted. */
  readonly target: string;
  /** The directory of the file system that is mounted there. */
  readonly root: string;
  readonly type: string;
  readonly source: string;
  /** Propagation tags such as "shared:5" or "master:2". */
  readonly propagation: readonly string[];
}

/** Parses /proc/<pid>/mountinfo (proc_pid_mountinfo(5)): `36 35 98:0 /mnt1 /mnt2 rw master:1 - ext3 /dev/root rw`. */
export function parseMountInfo(text: string): readonly MountInfo[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const words = line.split(" ");
      const dash = words.indexOf("-", 6);
      return {
        root: unescapeOctal(words[3] ?? ""),
        target: unescapeOctal(words[4] ?? ""),
        propagation: words.slice(6, dash),
        type: words[dash + 1] ?? "",
        source: unescapeOctal(words[dash + 2] ?? ""),
      };
    });
}

/** The mounts this process sees, in mount order. */
export function listMounts(): readonly MountInfo[] {
  return parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** The kernel writes space, tab, newline and backslash as \040 and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
