import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../src/common/ids.ts";
import { output } from "../test/support/command.ts";
import { toolsDirectory } from "../test/support/requirements.ts";
import { SpdyClient } from "../test/support/spdy-client.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { place } from "./place.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";

/** Commands of each kind in a round. */
const commands = 10;
const outputBytes = 256 << 20;

/** Commands in a running container: by one call, over a stream, and with much output. */
export function execCase(handler: "runc" | "crun"): BenchCase {
  const name = `exec-${handler}`;
  return {
    name,
    title: `commands in a running container, ${handler} on both sides`,
    expected: { exec: 1, ExecSync: 1, "256 MiB": 1 },
    run: async (bench) => {
      const containers = new Map<Side, string>();
      for (const side of bench.sides) containers.set(side, await startContainer(bench, side, handler));
      return runRounds(bench, name, (side) => runCommands(bench, side, containers.get(side) ?? ""));
    },
  };
}

async function startContainer({ images }: Bench, { name: side, client }: Side, handler: string): Promise<string> {
  const image = { image: images.pod.reference };
  await client.call("PullImage", { image });
  const name = `exec-${newId().slice(0, 12)}`;
  const directory = join(place.podLogs, side, name);
  mkdirSync(directory, { recursive: true });
  const config = {
    metadata: { name, uid: name, namespace: "bench", attempt: 0 },
    hostname: name,
    log_directory: directory,
    linux: { cgroup_parent: place.podGroup, security_context: { namespace_options: { pid: "CONTAINER" as const } } },
  };
  const run = await client.call("RunPodSandbox", { config, runtime_handler: handler });
  const container = { metadata: { name: "main", attempt: 0 }, image, log_path: "main.log", linux: config.linux };
  const request = { pod_sandbox_id: run.pod_sandbox_id, sandbox_config: config, config: container };
  const { container_id } = await client.call("CreateContainer", request);
  await client.call("StartContainer", { container_id });
  return container_id;
}

async function runCommands({ signal }: Bench, side: Side, containerId: string): Promise<RoundWork> {
  const durations: (readonly [string, number])[] = [];
  const usage = await side.daemon.measure(async () => {
    for (let command = 0; command < commands; command++) {
      signal.throwIfAborted();
      durations.push(["exec", await timed(() => execOverSpdy(side, containerId))]);
      const request = { container_id: containerId, cmd: ["true"] };
      durations.push(["ExecSync", await timed(() => side.client.call("ExecSync", request))]);
    }
    durations.push(["256 MiB", await timed(() => muchOutput(side, containerId))]);
  });
  return { durations, usage: { ...usage, works: 2 * commands + 1 } };
}

/** From the call to the end of the connection, as a client without a start-up time of its own sees it. */
async function execOverSpdy({ client }: Side, containerId: string): Promise<void> {
  const request = { container_id: containerId, cmd: ["echo", "done"], stdout: true, stderr: true };
  const { url } = await client.call("Exec", request);
  using spdy = await SpdyClient.connect(url, "v4.channel.k8s.io");
  const [error, stdout] = ["error", "stdout", "stderr"].map((streamtype) => spdy.open({ streamtype }));
  await spdy.closed();
  const [status, text] = [spdy.stream(error ?? 0).text, spdy.stream(stdout ?? 0).text];
  if (text !== "done\n" || !status.includes("Success")) throw new Error(`exec gave ${JSON.stringify([text, status])}`);
}

/** crictl's own start is in the time of both. */
async function muchOutput({ socket }: Side, containerId: string): Promise<void> {
  const exec = `exec ${containerId} head -c ${outputBytes} /dev/zero | wc -c`;
  const crictl = `${join(toolsDirectory, "crictl")} --runtime-endpoint unix://${socket} --timeout 60s`;
  const counted = await output(["sh", "-c", `${crictl} ${exec}`]);
  if (Number(counted) !== outputBytes) throw new Error(`${counted.trim()} bytes came, ${outputBytes} were sent`);
}
