import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { status as Code } from "@grpc/grpc-js";
import { busyboxLayer } from "../support/busybox-image.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { hostPort } from "../support/own-numbers.ts";
import { type PushedImage, pushImage } from "../support/push-image.ts";
import { containerConfig, podConfig } from "../support/requests.ts";
import { stopShim } from "../support/stop-shim.ts";
import type { World } from "../support/world.ts";
import type { Course } from "./kill-points.ts";
import type { PersistentCaller } from "./persistent-caller.ts";

const limits = { "kubernetes.io/ingress-bandwidth": "40M", "kubernetes.io/egress-bandwidth": "20M" };
const commands = {
  plain: ["/bin/sh", "-c", 'trap "exit 0" TERM; while :; do sleep 0.05; done'],
  stubborn: ["/bin/sh", "-c", 'trap "" TERM; while :; do sleep 0.05; done'],
};

/** A pod from its image's pull to its image's removal, through calls that are repeated until they succeed. */
export async function liveThrough(world: World, caller: PersistentCaller, course: Course): Promise<void> {
  const image = await pushFreshImage(world);
  const pullRequest = { image: { image: image.reference } };
  expectEqual((await caller.call((client) => client.call("PullImage", pullRequest))).image_ref, image.id);

  const linux = linuxOf(course);
  const port_mappings = course === "published" ? [{ host_port: hostPort(), container_port: 80 }] : [];
  const pod = podConfig(world, { linux, port_mappings, ...(course === "limited" && { annotations: limits }) });
  const run = await caller.call((client) => client.call("RunPodSandbox", { config: pod }));
  const podId = run.pod_sandbox_id;
  expectEqual((await caller.call((client) => client.call("RunPodSandbox", { config: pod }))).pod_sandbox_id, podId);

  const command = course === "stubborn" ? commands.stubborn : commands.plain;
  const config = containerConfig(world, "main", command, { image: { image: image.reference }, linux });
  const create = { pod_sandbox_id: podId, config, sandbox_config: pod };
  const { container_id: id } = await caller.call((client) => client.call("CreateContainer", create));
  expectEqual((await caller.call((client) => client.call("CreateContainer", create))).container_id, id);

  await caller.call((client) => start(client, id));
  const echo = await caller.call((client) => client.call("ExecSync", { container_id: id, cmd: ["echo", "hi"] }));
  expectEqual(echo.stdout.toString(), "hi\n");

  const change = { container_id: id, linux: { cpu_shares: "512" } };
  await caller.call((client) => client.call("UpdateContainerResources", change));

  using _stopped = course === "silent" ? stopShim(world, podId) : undefined;
  using _held = course === "held" ? await holdNetns(caller, podId) : undefined;
  if (course !== "running") {
    await caller.call((client) => client.call("StopContainer", { container_id: id, timeout: "1" }));
    const { status } = await caller.call((client) => client.call("ContainerStatus", { container_id: id }));
    expectEqual(status?.state, "CONTAINER_EXITED");
    const stopPod = () => caller.call((client) => client.call("StopPodSandbox", { pod_sandbox_id: podId }));
    const podLast = course === "stubborn" || course === "silent";
    if (!podLast) await stopPod();
    await caller.call((client) => client.call("RemoveContainer", { container_id: id }));
    if (podLast) await stopPod();
  }
  await caller.call((client) => client.call("RemovePodSandbox", { pod_sandbox_id: podId }));
  await caller.call((client) => client.call("RemoveImage", { image: { image: image.id } }));
  // Links that outlive their namespace are deleted in the background.
  if (course === "held" && caller.deaths === 0) await caller.revive(5_000);
}

/** Keeps the pod's network namespace alive beyond its pin. */
async function holdNetns(caller: PersistentCaller, podId: string): Promise<Disposable> {
  const request = { pod_sandbox_id: podId, verbose: true };
  const { info } = await caller.call((client) => client.call("PodSandboxStatus", request));
  const { netNsPath } = JSON.parse(info["info"] ?? "{}") as { netNsPath: string };
  const fd = openSync(netNsPath, "r");
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** Starts the container; an earlier try that the agent did not live to answer may have done it. */
async function start(client: World["client"], id: string): Promise<void> {
  try {
    await client.call("StartContainer", { container_id: id });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== Code.FAILED_PRECONDITION) throw error;
    const { status } = await client.call("ContainerStatus", { container_id: id });
    if (status?.state !== "CONTAINER_RUNNING") throw error;
  }
}

/** An image whose upper layers the agent has never seen. */
async function pushFreshImage(world: World): Promise<PushedImage> {
  const name = randomBytes(6).toString("hex");
  const layers = [
    await busyboxLayer(),
    await buildLayer([{ name: "etc/first", body: name }]),
    await buildLayer([{ name: "etc/second", body: `${name}${name}` }, { name: "etc/.wh.first" }], "zstd"),
  ];
  return pushImage(world.registry, `faults/${name}`, "v1", buildImage({ layers }));
}

function expectEqual(found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`Expected ${String(wanted)}, got ${String(found)}`);
}

/** What the course is about in the requests' Linux parts; the same in pod and container. */
function linuxOf(course: Course) {
  const mapping = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
  switch (course) {
    case "shared":
      return { security_context: { namespace_options: { pid: "POD" as const } } };
    case "mapped":
      return { security_context: { namespace_options: { userns_options: { uids: mapping, gids: mapping } } } };
    default:
      return {};
  }
}
