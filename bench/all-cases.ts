import type { BenchCase } from "./bench-case.ts";
import { cacheReadCase } from "./cache-read-case.ts";
import { cacheStartCase } from "./cache-start-case.ts";
import { critestCase } from "./critest-case.ts";
import { densityCase } from "./density-case.ts";
import { execCase } from "./exec-case.ts";
import { podCase } from "./pod-case.ts";
import { pullCase } from "./pull-case.ts";
import { statsCase } from "./stats-case.ts";

/** Every comparison, in the order of a run. */
export const allCases: readonly BenchCase[] = [
  pullCase("pull-one", "cold pull of an image of Debian packages, all files in one gzip layer", "large-one"),
  pullCase("pull-ten", "cold pull of the same files in ten gzip layers", "large-ten"),
  pullCase("pull-small", "cold pull of 100,000 files of 256 bytes in one gzip layer", "many-small", 0.15),
  cacheStartCase,
  cacheReadCase,
  podCase("runc"),
  podCase("crun"),
  execCase("runc"),
  execCase("crun"),
  critestCase("runc"),
  critestCase("crun"),
  statsCase,
  densityCase,
];
