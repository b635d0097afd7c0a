import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

/** Files that need the machine to themselves: fixed host ports, rates and times that are compared, the disk's free space. */
const alone = [
  "test/conformance/*.test.ts",
  "test/cri/hung-shims.test.ts",
  "test/cri/image-gc.test.ts",
  // Once failed beside others with EACCES at the mount of a mapped root, for a reason not found yet.
  "test/cri/user-namespaces.test.ts",
  "test/faults/isolation.test.ts",
  "test/kernel/bandwidth.test.ts",
];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    globalSetup: ["test/support/global-setup.ts"],
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: ".cache/test-results.json" }]] : ["default"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: alone,
          // They own what their instance's name marks and wait more than they compute.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "alone", include: alone, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
