import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output } from "../support/command.ts";
import { execOutput, type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { stopShim } from "../support/stop-shim.ts";
import { useWorld } from "../support/world.ts";

const unmountMs = 12_000;
const rounds = 60;

/** A disturbance under way: whether it has ended, and the call it holds up. */
interface Disturbance {
  ended: boolean;
  readonly call: Promise<unknown>;
}

function underWay(call: Promise<unknown>): Disturbance {
  const disturbance: Disturbance = { ended: false, call };
  const end = () => {
    disturbance.ended = true;
  };
  call.then(end, end);
  return disturbance;
}

describe.skipIf(cannotRun("docker-registry", "runc", "losetup"))("one pod's trouble", () => {
  const world = useWorld();

  /** Takes every connection and never says a word. */
  async function silentRegistry(resources: AsyncDisposableStack): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    resources.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  /** Mounts something in the container's bundle that it takes the kernel 12 s to unmount. */
  async function makeSlow({ containerId }: RunningContainer, resources: AsyncDisposableStack): Promise<void> {
    const { scratch, state } = world().agent.instance;
    const file = join(scratch, "slow.img");
    writeFileSync(file, "");
    truncateSync(file, 1 << 20);
    const device = (await output(["losetup", "-f", "--show", file])).trim();
    resources.defer(() => void output(["losetup", "-d", device]).catch(() => undefined));
    const target = join(state, "containers", containerId, "slow");
    mkdirSync(target);
    const program = join(import.meta.dirname, "../support/slow-unmount.child.ts");
    const child = spawn(process.execPath, [program, target, device, String(unmountMs)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    resources.defer(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
  }

  /** How long each of the reads takes, and a log's reopening: milliseconds by call. */
  async function measure(pod: RunningContainer): Promise<ReadonlyMap<string, readonly number[]>> {
    const { client } = world();
    const calls = {
      ListPodSandbox: () => client.call("ListPodSandbox", {}),
      ListContainers: () => client.call("ListContainers", {}),
      PodSandboxStatus: () => client.call("PodSandboxStatus", { pod_sandbox_id: pod.podId }),
      ContainerStatus: () => client.call("ContainerStatus", { container_id: pod.containerId }),
      ReopenContainerLog: () => client.call("ReopenContainerLog", { container_id: pod.containerId }),
    };
    const times = new Map<string, number[]>(Object.keys(calls).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, call] of Object.entries(calls)) {
        const startedMs = performance.now();
        await call();
        times.get(name)?.push(performance.now() - startedMs);
      }
    }
    return times;
  }

  test("delays no other pod's reads and no reopening of a log", async () => {
    const { agent, client } = world();
    const [calm, stuck, slow] = [await runContainer(world()), await runContainer(world()), await runContainer(world())];
    await measure(calm);
    const undisturbed = await measure(calm);

    await using resources = new AsyncDisposableStack();
    const registry = await silentRegistry(resources);
    await makeSlow(slow, resources);
    const shim = resources.use(stopShim({ agent }, stuck.podId));
    const disturbances = [
      underWay(client.call("PullImage", { image: { image: `${registry}/nothing:1` } }, { timeoutMs: 20_000 })),
      underWay(client.call("ExecSync", { container_id: stuck.containerId, cmd: ["true"] }, { timeoutMs: 20_000 })),
      underWay(client.call("RemoveContainer", { container_id: slow.containerId })),
    ];
    // Until each of them stands still.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const disturbed = await measure(calm);
    expect(disturbances.map(({ ended }) => ended)).toEqual([false, false, false]);

    for (const [name, times] of disturbed) {
      const [before, now] = [medianOf(undisturbed.get(name) ?? []), medianOf(times)];
      expect(now / before, `${name}: ${before.toFixed(2)} ms undisturbed, ${now.toFixed(2)} ms beside`).toBeLessThan(4);
    }
    expect(await execOutput(world(), calm.containerId, "echo", "well")).toBe("well\n");

    shim[Symbol.dispose]();
    await Promise.allSettled(disturbances.map(({ call }) => call));
    // The slow one went through, late as it was.
    await disturbances[2]?.call;
  });
});

function medianOf(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}
