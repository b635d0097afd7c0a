import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The host's mounts, links and cgroups are shared by the kernel-facing tests, so files run one after another.
    fileParallelism: false,
    pool: "forks",
  },
});
