import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BackgroundCommand } from "../support/background-command.ts";
import { output, runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const transports = ["spdy", "websocket"] as const;
/** Says each line of its input once more, on standard error as well. */
const parrot = [
  "sh",
  "-c",
  'echo ready; while read -r line; do echo "got $line"; echo "err $line" >&2; done; echo bye',
];

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "script")).each(transports)(
  "crictl attach over %s",
  (transport) => {
    const world = useWorld();
    const attach = (...args: readonly string[]) => world().crictl.command("attach", "-r", transport, ...args);
    const state = async (containerId: string) =>
      (await world().client.call("ContainerStatus", { container_id: containerId })).status;

    test("several clients share one input and each get all output, which the log has too", async () => {
      const { containerId, logPath } = await runContainer(world(), parrot, { container: { stdin: true } });
      await using first = new BackgroundCommand(attach("-i", containerId));
      await using second = new BackgroundCommand(attach("-i", containerId));
      await using listener = new BackgroundCommand(attach(containerId));
      // A client is there once it sees something.
      await eventually("all three to be attached", () => {
        first.write("hello\n");
        return [first, second, listener].every(
          ({ stdout, stderr }) => /got hello/.test(stdout) && /err hello/.test(stderr),
        );
      });
      second.write("from the second\n");
      await first.shows(/got from the second/);
      await listener.shows(/got from the second/);
      // One that vanishes, and one that ends its input, take nothing away from the others.
      second.kill();
      first.endInput();
      expect((await first.result()).exitCode).toBe(0);
      await using third = new BackgroundCommand(attach("-i", containerId));
      await eventually("the third to be attached", () => {
        third.write("again\n");
        return /got again/.test(third.stdout);
      });
      await listener.shows(/got again/);
      expect(readFileSync(logPath, "utf8")).toContain("stdout F got from the second");
      expect((await state(containerId))?.state).toBe("CONTAINER_RUNNING");
      await world().client.call("StopContainer", { container_id: containerId });
      expect((await listener.result()).exitCode).toBe(0);
      expect((await third.result()).exitCode).toBe(0);
    });

    test("with stdin_once the first client's end of input is the container's, and it hears the rest", async () => {
      const { containerId, logPath } = await runContainer(world(), parrot, {
        container: { stdin: true, stdin_once: true },
      });
      const { stdout } = await runCommand(attach("-i", containerId), { input: "one\ntwo\n" });
      expect(stdout).toContain("got two\nbye\n");
      await eventually("the container's end", async () => (await state(containerId))?.state === "CONTAINER_EXITED");
      expect(await state(containerId)).toMatchObject({ exit_code: 0, reason: "Completed" });
      expect(readFileSync(logPath, "utf8")).toContain("stdout F bye");
    });

    test("with stdin_once a client that vanishes ends the container's input as well", async () => {
      const { containerId } = await runContainer(world(), parrot, { container: { stdin: true, stdin_once: true } });
      await using client = new BackgroundCommand(attach("-i", containerId));
      await eventually("the client to be attached", () => {
        client.write("x\n");
        return /got x/.test(client.stdout);
      });
      client.kill();
      await eventually("the container's end", async () => (await state(containerId))?.state === "CONTAINER_EXITED");
    });

    test("a terminal is the container's own: one output, resized by whoever is attached", async () => {
      const { containerId } = await runContainer(world(), ["sh"], { container: { stdin: true, tty: true } });
      await using shell = new BackgroundCommand(attach("-it", containerId), { terminal: true });
      const [, pty = ""] = await shell.shows(/terminal (\/dev\/pts\/\d+)/);
      await eventually("the client's size", () => {
        shell.write("stty size\r");
        return /24 80/.test(shell.stdout);
      });
      await output(["stty", "-F", pty, "rows", "33", "cols", "99"]);
      await eventually("the new size", () => {
        shell.write("stty size\r");
        return /33 99/.test(shell.stdout);
      });
      shell.write("exit 5\r");
      await shell.result();
      await eventually("the container's end", async () => (await state(containerId))?.exit_code === 5);
    });

    test("a client that stops reading is let go; the container and its log go on", async () => {
      const script =
        "i=0; while :; do i=$((i+1)); echo $i; head -c 100000 /dev/zero | tr '\\0' x; echo; sleep 0.02; done";
      const { containerId, logPath } = await runContainer(world(), ["sh", "-c", script]);
      await using _stalled = new BackgroundCommand(attach(containerId), { unread: true });
      await using listener = new BackgroundCommand(attach(containerId));
      await listener.shows(/\n\d+\n/);
      await eventually(
        "the stalled client to be let go",
        () => /"stream":"attach".*reads too slowly/.test(world().agent.log()),
        60_000,
      );
      const size = readFileSync(logPath).length;
      await eventually("more of the log", () => readFileSync(logPath).length > size);
      const heard = listener.stdout.length;
      await eventually("more for the other client", () => listener.stdout.length > heard);
    });
  },
);
