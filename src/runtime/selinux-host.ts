import { readFileSync } from "node:fs";
import { errnoOf } from "../common/errors.ts";
import type { SelinuxContexts } from "./selinux-label.ts";

/** What policies without a file of their own for containers have. */
const usualContexts: SelinuxContexts = {
  process: "system_u:system_r:container_t:s0",
  file: "system_u:object_r:container_file_t:s0",
};

/** The contexts for containers, or undefined where SELinux is off or its file system is not mounted. */
export function readSelinuxContexts(): SelinuxContexts | undefined {
  // Without a loaded policy everything is "kernel".
  const own = readOrUndefined("/proc/self/attr/current")?.replaceAll("\0", "").trim();
  if (readOrUndefined("/sys/fs/selinux/enforce") === undefined || own === undefined || own === "kernel")
    return undefined;
  const policy = /^SELINUXTYPE\s*=\s*(\S+)/m.exec(readOrUndefined("/etc/selinux/config") ?? "")?.[1] ?? "targeted";
  return parseContexts(readOrUndefined(`/etc/selinux/${policy}/contexts/lxc_contexts`) ?? "");
}

/** @param text of lxc_contexts, with lines such as `process = "system_u:system_r:container_t:s0"` */
export function parseContexts(text: string): SelinuxContexts {
  const value = (name: string) => new RegExp(`^\\s*${name}\\s*=\\s*"?([^"\\s]+)"?`, "m").exec(text)?.[1];
  return { process: value("process") ?? usualContexts.process, file: value("file") ?? usualContexts.file };
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "EINVAL", "EACCES", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
