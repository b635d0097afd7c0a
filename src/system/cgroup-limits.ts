import { writeFileSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";
import { type CgroupLayout, cgroupDirectories } from "./cgroup.ts";

/**
 * Writes limits into files of a group that exists.
 * @param controller whose tree the files are in on v1, such as "hugetlb"; on v2 there is one tree
 * @param files value by name, such as "memory.high"
 * @throws SystemError naming the file and what the kernel said
 */
export function writeCgroupLimits(
  layout: CgroupLayout,
  path: string,
  controller: string,
  files: Readonly<Record<string, string>>,
): void {
  const tree = layout.kind === "v2" ? layout.trees[0] : layout.treeOf.get(controller);
  const directory = cgroupDirectories(layout, path)[layout.trees.indexOf(tree ?? "")];
  for (const [name, value] of Object.entries(files)) {
    const file = `${directory}/${name}`;
    try {
      if (directory === undefined) throw new Error(`no cgroup tree has the controller "${controller}"`);
      // A name with a slash would lead to another group.
      if (name.includes("/")) throw new Error("a file's name has no slash");
      writeFileSync(file, value, { flag: "r+" });
    } catch (cause) {
      const errno = errnoOf(cause);
      throw new SystemError(`write ${JSON.stringify(value.slice(0, 100))} to "${file}": ${errno ?? String(cause)}`, {
        cause,
        ...(errno !== undefined && { errno }),
      });
    }
  }
}
