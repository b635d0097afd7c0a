import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BackgroundCommand } from "../support/background-command.ts";
import { output, runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { instanceProcesses } from "../support/instance-objects.ts";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld, type World } from "../support/world.ts";

const transports = ["spdy", "websocket"] as const;

/** Resident memory of a process, in bytes. */
function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Processes of the instance whose command line has the text. */
function running({ agent }: World, text: string): number {
  return instanceProcesses(agent.instance.name).filter(({ what }) => what.includes(text)).length;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "script")).each(transports)(
  "crictl exec over %s",
  (transport) => {
    const world = useWorld();
    const exec = (...args: readonly string[]) => world().crictl.command("exec", "-r", transport, ...args);

    test("gives both outputs and the exit code", async () => {
      const { containerId } = await runContainer(world());
      const failed = await runCommand(exec(containerId, "sh", "-c", "echo out; echo err >&2; exit 3"));
      expect(failed.stdout).toBe("out\n");
      expect(failed.stderr).toContain("err\n");
      expect(failed.stderr).toContain("exit code 3");
      expect(failed.exitCode).not.toBe(0);
      expect(await output(exec(containerId.slice(0, 13), "echo", "a b"))).toBe("a b\n");
    });

    test("carries input and output whole, however much, and passes the input's end on", async () => {
      const { containerId } = await runContainer(world());
      const input = randomBytes(8 << 20);
      const echoed = await runCommand(exec("-i", containerId, "cat"), { input });
      expect(echoed.stdoutBytes.equals(input)).toBe(true);
      const counted = await runCommand(exec("-i", containerId, "wc", "-c"), { input });
      expect(counted.stdout.trim()).toBe(String(input.length));
      // Nobody reads this input.
      const unread = await runCommand(exec("-i", containerId, "sh", "-c", "exec <&-; echo done"), { input });
      expect(unread.stdout).toBe("done\n");
    });

    test("says in the runtime's words why a program can't be run", async () => {
      const { containerId } = await runContainer(world());
      const failed = await runCommand(exec(containerId, "/no/such/program"));
      expect(failed.exitCode).not.toBe(0);
      expect(failed.stderr).toContain("/no/such/program");
    });

    test("with a terminal: a shell that knows its size, is resized, and ends with its exit code", async () => {
      const { containerId } = await runContainer(world());
      await using shell = new BackgroundCommand(exec("-it", containerId, "sh"), { terminal: true });
      const [, pty = ""] = await shell.shows(/terminal (\/dev\/pts\/\d+)/);
      await shell.shows(/[#$] /);
      shell.write("tty; stty size; echo TERM is $TERM\r");
      await shell.shows(/\/dev\/(pts\/\d+|console)/);
      await shell.shows(/24 80/);
      await shell.shows(/TERM is xterm/);
      await output(["stty", "-F", pty, "rows", "31", "cols", "117"]);
      await eventually("the new size", async () => {
        shell.write("stty size\r");
        return /31 117/.test(shell.stdout);
      });
      // Ctrl-C is the shell's, not crictl's.
      shell.write("sleep 1234\r");
      await eventually("the shell's child", () => running(world(), "sleep 1234") === 1);
      shell.write("\x03");
      await eventually("its end", () => running(world(), "sleep 1234") === 0);
      shell.write("exit 7\r");
      const { exitCode, stdout } = await shell.result();
      expect(exitCode).not.toBe(0);
      expect(stdout).toContain("exit code 7");
    });

    test("a client that vanishes takes its command along, with all it started", async () => {
      const { containerId } = await runContainer(world());
      await using client = new BackgroundCommand(exec(containerId, "sh", "-c", 'trap "" HUP; sleep 2001 & sleep 2001'));
      await using terminal = new BackgroundCommand(exec("-it", containerId, "sleep", "2002"), { terminal: true });
      await eventually("the commands", () => running(world(), "sleep 200") >= 3);
      client.kill();
      terminal.kill();
      await eventually("their end", () => running(world(), "sleep 200") === 0);
    });

    test("a client that vanishes while nobody reads its input is noticed as well", async () => {
      const { containerId } = await runContainer(world());
      await using client = new BackgroundCommand(exec("-i", containerId, "sleep", "2003"));
      await eventually("the command", () => running(world(), "sleep 2003") === 1);
      client.write(Buffer.alloc(4 << 20));
      await new Promise((resolve) => setTimeout(resolve, 500));
      client.kill();
      await eventually("its end", () => running(world(), "sleep 2003") === 0, 40_000);
    });

    test("a client that stops reading makes its command wait, and costs the agent nothing", async () => {
      const { agent, crictl } = world();
      const { containerId } = await runContainer(world());
      const before = residentBytes(agent.pid);
      await using _stalled = new BackgroundCommand(
        exec(containerId, "sh", "-c", "head -c 300000000 /dev/zero; sleep 2004"),
        {
          unread: true,
        },
      );
      await eventually("the writer", () => running(world(), "head") >= 1);
      // Neither other commands nor the container notice.
      for (let round = 0; round < 5; round++) expect(await crictl.run("exec", containerId, "echo", "on")).toBe("on");
      expect(running(world(), "head -c 300000000")).toBeGreaterThan(0);
      expect(residentBytes(agent.pid) - before).toBeLessThan(64 << 20);
    });

    test("a background child that holds the output open does not hold the answer", async () => {
      const { containerId } = await runContainer(world());
      const result = await runCommand(exec(containerId, "sh", "-c", "sleep 2005 & echo started"), {
        timeoutMs: 60_000,
      });
      expect(result.stdout).toBe("started\n");
      expect(running(world(), "sleep 2005")).toBe(1);
    });
  },
);
