import { readFileSync } from "node:fs";

/**
 * A file of the cgroup that a process is in, whichever version of cgroups has the controller here.
 * @param controller such as "memory"
 * @param v1 the file's name on v1 @param v2 its name on v2
 */
export function cgroupFile(pid: number, controller: string, v1: string, v2: string): string {
  const membership = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const lines = membership.split("\n").map((line) => line.split(":"));
  const first = lines.find(([, controllers = ""]) => controllers.split(",").includes(controller));
  if (first !== undefined) return readFileSync(`/sys/fs/cgroup/${controller}${first[2]}/${v1}`, "utf8").trim();
  const unified = lines.find(([id]) => id === "0");
  return readFileSync(`/sys/fs/cgroup${unified?.[2]}/${v2}`, "utf8").trim();
}
