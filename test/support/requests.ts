import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { ContainerConfig } from "../../src/generated/runtime/v1/ContainerConfig.ts";
import type { PodSandboxConfig } from "../../src/generated/runtime/v1/PodSandboxConfig.ts";
import type { World } from "./world.ts";

/** A pod's configuration with a name of its own and a log directory. */
export function podConfig(world: Pick<World, "agent">, overrides: PodSandboxConfig = {}): PodSandboxConfig {
  const name = overrides.metadata?.name ?? `pod-${randomBytes(3).toString("hex")}`;
  return {
    hostname: name,
    log_directory: join(world.agent.instance.scratch, "logs", name),
    linux: {},
    ...overrides,
    metadata: { name, uid: `uid-${name}`, namespace: "default", attempt: 0, ...overrides.metadata },
  };
}

/** A container of the small image. @param command empty: the image's own */
export function containerConfig(
  world: Pick<World, "busybox">,
  name: string,
  command: readonly string[] = [],
  overrides: ContainerConfig = {},
): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: { image: world.busybox.reference },
    command: [...command],
    log_path: `${name}.log`,
    linux: {},
    ...overrides,
  };
}

/** A container that is running, with its pod. */
export interface RunningContainer {
  readonly podId: string;
  readonly containerId: string;
  readonly pod: PodSandboxConfig;
  readonly config: ContainerConfig;
  /** The file its output goes to. */
  readonly logPath: string;
}

/** Pulls the small image if need be and runs a container in a pod, by gRPC. */
export async function runContainer(
  world: World,
  command: readonly string[] = [],
  options: { readonly pod?: PodSandboxConfig; readonly container?: ContainerConfig; readonly handler?: string } = {},
): Promise<RunningContainer> {
  const { client } = world;
  const config = containerConfig(world, "main", command, options.container);
  await client.call("PullImage", { image: config.image ?? null });
  const pod = podConfig(world, options.pod);
  const run = await client.call("RunPodSandbox", { config: pod, runtime_handler: options.handler ?? "" });
  const podId = run.pod_sandbox_id;
  const created = await client.call("CreateContainer", { pod_sandbox_id: podId, config, sandbox_config: pod });
  await client.call("StartContainer", { container_id: created.container_id });
  const logPath = join(pod.log_directory ?? "", config.log_path ?? "");
  return { podId, containerId: created.container_id, pod, config, logPath };
}

/** Runs a program in a container and gives its output; its exit code has to be 0. */
export async function execOutput(world: World, containerId: string, ...argv: readonly string[]): Promise<string> {
  const result = await world.client.call("ExecSync", { container_id: containerId, cmd: [...argv], timeout: 10 });
  if (result.exit_code !== 0) throw new Error(`${argv.join(" ")} ended with ${result.exit_code}: ${result.stderr}`);
  return result.stdout.toString();
}
