import { existsSync } from "node:fs";
import { join } from "node:path";
import { status as Code } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { requireCriu } from "../../src/runtime/checkpoint.ts";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("docker-registry", "runc"))("CheckpointContainer", () => {
  const world = useWorld();

  test("writes the archive where CRIU works, and says what is missing where not; the container goes on", async () => {
    const { agent, client } = world();
    const { containerId } = await runContainer(world());
    const location = join(agent.instance.scratch, "checkpoint.tar");
    const works = await requireCriu().then(
      () => true,
      () => false,
    );
    const checkpoint = client.call("CheckpointContainer", { container_id: containerId, location });
    if (works) await checkpoint;
    else
      await expect(checkpoint).rejects.toMatchObject({
        code: Code.FAILED_PRECONDITION,
        details: expect.stringContaining("CRIU"),
      });
    expect(existsSync(location)).toBe(works);
    expect(existsSync(`${location}.part`)).toBe(false);
    const { status } = await client.call("ContainerStatus", { container_id: containerId });
    expect(status?.state).toBe("CONTAINER_RUNNING");
  });

  test("is what crictl checkpoint asks for", async () => {
    const { agent, crictl } = world();
    const { containerId } = await runContainer(world());
    const location = join(agent.instance.scratch, "by-crictl.tar");
    const works = await requireCriu().then(
      () => true,
      () => false,
    );
    const { exitCode, stderr } = await crictl.attempt("checkpoint", "--export", location, containerId);
    expect([exitCode === 0, existsSync(location)]).toEqual([works, works]);
    if (!works) expect(stderr).toMatch(/FailedPrecondition.*CRIU/);
  });

  test("refuses what it can't do by name", async () => {
    const { client } = world();
    const { containerId } = await runContainer(world());
    const call = (container_id: string, location: string) =>
      client.call("CheckpointContainer", { container_id, location });
    await expect(call(containerId, "here.tar")).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(call("f".repeat(64), "/tmp/x.tar")).rejects.toMatchObject({ code: Code.NOT_FOUND });
    await client.call("StopContainer", { container_id: containerId, timeout: "0" });
    await expect(call(containerId, "/tmp/x.tar")).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
  });
});
