import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { crunProgram } from "../support/agent-config.ts";
import { output } from "../support/command.ts";
import { execOutput, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const shim = "containerd-shim-runc-v2";
/** A directory of this test process alone: an agent's own is known only once it has been started. */
const directory = `/run/podling-test/cdi-${process.pid}`;

describe.skipIf(cannotRun("docker-registry", "runc", "crun"))("CDI devices", () => {
  const world = useWorld({
    overrides: {
      runtime: {
        default_handler: "runc",
        cdi_spec_dirs: [directory],
        handlers: { runc: { shim, binary: "runc" }, crun: { shim, binary: crunProgram } },
      },
    },
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(["runc", "crun"])("come by field and by annotation, with all their edits, on %s", async (handler) => {
    mkdirSync(directory, { recursive: true });
    const scratch = world().agent.instance.scratch;
    const marker = join(scratch, `hook-${handler}`);
    const node = join(scratch, `node-${handler}`);
    writeFileSync(join(scratch, "library"), "a driver's library");
    await output(["mknod", node, "c", "10", "229"]);
    const containerEdits = {
      env: ["CDI=yes"],
      mounts: [{ hostPath: join(scratch, "library"), containerPath: "/usr/lib/driver", options: ["ro", "bind"] }],
      hooks: [{ hookName: "createRuntime", path: "/bin/touch", args: ["touch", marker] }],
      additionalGids: [4242],
    };
    const devices = [
      { name: "0", containerEdits: { deviceNodes: [{ path: "/dev/acme0", hostPath: node, permissions: "rw" }] } },
      { name: "1", containerEdits: { env: ["SECOND=yes"] } },
    ];
    writeFileSync(
      join(directory, "acme.json"),
      JSON.stringify({ cdiVersion: "0.7.0", kind: "acme.com/gpu", devices, containerEdits }),
    );
    const container = {
      CDI_devices: [{ name: "acme.com/gpu=0" }],
      annotations: { "cdi.k8s.io/acme_1": "acme.com/gpu=1" },
    };
    const { containerId } = await runContainer(world(), [], { handler, container });
    expect(await execOutput(world(), containerId, "ls", "-l", "/dev/acme0", marker.slice(0, 1))).toMatch(/10, +229/);
    expect(await execOutput(world(), containerId, "cat", "/usr/lib/driver")).toBe("a driver's library");
    expect(await execOutput(world(), containerId, "env")).toMatch(/CDI=yes[\s\S]*SECOND=yes/);
    expect(await execOutput(world(), containerId, "id", "-G")).toContain("4242");
    expect(await output(["ls", marker])).toContain(marker);
    await expect(
      runContainer(world(), [], { handler, container: { CDI_devices: [{ name: "acme.com/gpu=9" }] } }),
    ).rejects.toMatchObject({ code: 5, details: expect.stringContaining("acme.com/gpu=9") });
  });
});
