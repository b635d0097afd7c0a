import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take a minute and more; begun last, one would run on while the other worker has nothing left to do. */
const longest = [
  "test/faults/pod-life-overlay.test.ts",
  "test/faults/pod-life-erofs.test.ts",
  "test/cri/exec-stream.test.ts",
  "test/faults/image-caches.test.ts",
  "test/cri/image-caches.test.ts",
  "test/kernel/security-groups.test.ts",
  "test/kernel/layer-oracle.test.ts",
];

/** Begins the files of a project with those that take longest, known on a fresh clone too. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification) => {
      const place = longest.indexOf(relative(project.config.root, moduleId));
      return place < 0 ? longest.length : place;
    };
    const order = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    return (await super.sort(files)).toSorted((a, b) => order(a) - order(b) || rank(a) - rank(b));
  }
}
