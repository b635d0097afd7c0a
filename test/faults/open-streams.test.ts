import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BackgroundCommand } from "../support/background-command.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { instanceProcesses } from "../support/instance-objects.ts";
import { expectNoLeaks, hostSnapshot } from "../support/leak-check.ts";
import { execOutput, type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld, type World } from "../support/world.ts";

const parrot = ["sh", "-c", 'nc -ll -p 8080 -e cat & while read -r line; do echo "got $line"; done'];

function running({ agent }: World, text: string): number {
  return instanceProcesses(agent.instance.name).filter(({ what }) => what.includes(text)).length;
}

/** Execs of the container that are recorded on disk. */
function recordedExecs({ agent }: World, { containerId }: RunningContainer): readonly string[] {
  const directory = join(agent.instance.state, "containers", containerId, "exec");
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** A client of each kind that is in the middle of its stream. */
async function openStreams(world: World, container: RunningContainer) {
  const { crictl } = world;
  const { containerId, podId } = container;
  const stack = new AsyncDisposableStack();
  const exec = stack.use(
    new BackgroundCommand(crictl.command("exec", "-i", containerId, "sh", "-c", "sleep 3001 & cat; sleep 3001")),
  );
  const terminal = stack.use(
    new BackgroundCommand(crictl.command("exec", "-it", containerId, "sleep", "3001"), { terminal: true }),
  );
  const webSocket = stack.use(
    new BackgroundCommand(crictl.command("exec", "-r", "websocket", containerId, "sleep", "3001")),
  );
  const attached = stack.use(new BackgroundCommand(crictl.command("attach", "-i", containerId)));
  const port = await freePort();
  const forward = stack.use(new BackgroundCommand(crictl.command("port-forward", podId, `${port}:8080`)));
  await eventually("the attached client", () => {
    attached.write("hello\n");
    return /got hello/.test(attached.stdout);
  });
  await forward.shows(/Forwarding from/);
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  stack.defer(() => void socket.destroy());
  socket.write("x");
  await once(socket, "data");
  // The first one's shell and the child it has in the background, and one of each of the others.
  await eventually("the commands", () => running(world, "sleep 3001") >= 4);
  return { clients: [exec, terminal, webSocket, attached], forward, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "script"))(
  "streams that are open when the agent ends",
  () => {
    const world = useWorld();
    const start = () => runContainer(world(), parrot, { container: { stdin: true } });

    async function expectAllWell(container: RunningContainer): Promise<void> {
      const { containerId } = container;
      // The socket opens after a second at the latest, and recovery goes on behind it.
      await eventually("the end of every command", () => running(world(), "sleep 3001") === 0);
      await eventually("the end of their records", () => recordedExecs(world(), container).length === 0);
      await using attached = new BackgroundCommand(world().crictl.command("attach", "-i", containerId));
      await eventually("the container to answer as before", () => {
        attached.write("again\n");
        return /got again/.test(attached.stdout);
      });
      expect(await execOutput(world(), containerId, "echo", "ok")).toBe("ok\n");
    }

    test("killed: the next agent ends what was left, and the container goes on", async () => {
      const container = await start();
      const before = await hostSnapshot(world().agent);
      await using streams = await openStreams(world(), container);
      await world().agent.kill();
      for (const client of streams.clients) await client.result();
      expect(recordedExecs(world(), container)).toHaveLength(3);
      await world().agent.start();
      await expectAllWell(container);
      await expectNoLeaks(world().agent, before);
    });

    test("stopped: every client is told, and nothing is left for the next agent", async () => {
      const container = await start();
      const before = await hostSnapshot(world().agent);
      await using streams = await openStreams(world(), container);
      await world().agent.stop();
      const [exec] = await Promise.all(streams.clients.map((client) => client.result()));
      expect(exec?.stderr).toContain("The agent is being stopped");
      expect(running(world(), "sleep 3001")).toBe(0);
      expect(recordedExecs(world(), container)).toEqual([]);
      await world().agent.start();
      await expectAllWell(container);
      await expectNoLeaks(world().agent, before);
    });

    test.each(["exec.directory-made", "exec.added", "exec.started"])(
      "killed at %s while a command starts",
      async (point) => {
        const container = await start();
        const before = await hostSnapshot(world().agent);
        await world().agent.stop();
        await world().agent.start(point);
        await using client = new BackgroundCommand(
          world().crictl.command("exec", "-i", container.containerId, "sh", "-c", "sleep 3001; cat"),
        );
        await world().agent.ended();
        // Without a status crictl takes the end for success.
        await client.result();
        await world().agent.start();
        await expectAllWell(container);
        await expectNoLeaks(world().agent, before);
      },
    );
  },
);
