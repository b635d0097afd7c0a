import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Agent } from "../support/agent.ts";
import { expectNoLeaks, expectNothingLeft } from "../support/leak-check.ts";
import { cannotRun } from "../support/requirements.ts";
import { killPoints, pointsOn } from "./kill-points.ts";
import { settledHost } from "./settled-host.ts";

const src = join(import.meta.dirname, "../../src");

test("every failpoint of src is in the table, and the table has no other", () => {
  const found = globSync("**/*.ts", { cwd: src }).flatMap((file) =>
    [...readFileSync(join(src, file), "utf8").matchAll(/failpoint\("([^"]+)"\)/g)].map((match) => match[1] ?? ""),
  );
  expect(found.toSorted()).toEqual(Object.keys(killPoints).toSorted());
  expect(new Set(Object.keys(killPoints).map((name) => name.split(".")[0]))).toEqual(
    new Set(["pull", "run", "create", "start", "exec", "stop", "remove", "recover", "net", "update", "warm", "cache"]),
  );
});

describe.skipIf(cannotRun("docker-registry", "runc"))(
  "an agent killed while it builds or takes down what it stands on",
  () => {
    test.each(pointsOn("host"))(
      "at %s: the next start finds its way, and the next end leaves nothing",
      async (name) => {
        await using resources = new AsyncDisposableStack();
        const agent = resources.use(await Agent.start());
        const before = await settledHost(agent);
        await agent.stop();
        await expectNothingLeft(agent);

        agent.spawn(name);
        const survived = await agent.serving().then(
          () => true,
          () => false,
        );
        // What is not on the way up is on the way down.
        if (survived) await expect(agent.stop()).rejects.toThrow("SIGKILL");
        expect(agent.running).toBe(false);
        await agent.start();
        await expectNoLeaks(agent, before);
        await agent.stop();
        await expectNothingLeft(agent);
      },
    );
  },
);
