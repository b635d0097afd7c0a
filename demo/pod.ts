import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PodSandboxConfig } from "../src/generated/runtime/v1/PodSandboxConfig.ts";
import type { CriClient } from "../test/support/cri-client.ts";
import { nginxCommand } from "../test/support/debian-image.ts";
import { eventually } from "../test/support/eventually.ts";
import { imageName, place } from "./place.ts";

export interface Pod {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** As kubelet asks: each container sees its own processes only. */
const separatePids = { pid: "CONTAINER" } as const;

/** What each container runs. The client waits for the server, then asks it by name and by both addresses. */
const commands: Readonly<Record<"web" | "client", readonly string[]>> = {
  web: nginxCommand,
  client: [
    "/bin/sh",
    "-c",
    `tries=0
     until wget -q -O /dev/null http://shop/; do tries=$((tries + 1)); [ $tries -lt 200 ] || exit 1; sleep 0.1; done
     wget -q -O - http://shop/ || exit 1
     for url in "http://$WEB_IPV4/" "http://[$WEB_IPV6]/"; do
       page=$(wget -q -O - "$url") || exit 1
       echo "the same from $url: \${#page} characters"
     done`,
  ],
};

/** Runs the pod's sandbox. @throws unless it has an IPv4 and an IPv6 address */
export async function runPod(cri: CriClient, uid: string): Promise<Pod> {
  const config: PodSandboxConfig = {
    metadata: { name: "shop", namespace: "demo", uid, attempt: 0 },
    hostname: "shop",
    log_directory: join(place.podLogs, "shop"),
    labels: { app: "shop" },
    linux: { security_context: { namespace_options: separatePids } },
  };
  mkdirSync(config.log_directory ?? "", { recursive: true });
  const { pod_sandbox_id: id } = await cri.call("RunPodSandbox", { config });
  const { status } = await cri.call("PodSandboxStatus", { pod_sandbox_id: id });
  const network = status?.network;
  const addresses = [network?.ip ?? "", ...(network?.additional_ips ?? []).map(({ ip }) => ip)];
  const ipv4 = addresses.find((address) => /^[\d.]+$/.test(address));
  const ipv6 = addresses.find((address) => address.includes(":"));
  if (ipv4 === undefined || ipv6 === undefined) {
    throw new Error(`The pod's addresses are ${JSON.stringify(addresses)}: one of each family was expected`);
  }
  return { id, config, ipv4, ipv6 };
}

/** Creates and starts one of the two containers. @returns its id */
export async function startContainer(cri: CriClient, pod: Pod, name: "web" | "client"): Promise<string> {
  const { container_id: id } = await cri.call("CreateContainer", {
    pod_sandbox_id: pod.id,
    sandbox_config: pod.config,
    config: {
      metadata: { name, attempt: 0 },
      // Where crictl looks for a container's pod.
      labels: { "io.kubernetes.pod.name": "shop", "io.kubernetes.pod.namespace": "demo" },
      image: { image: imageName },
      command: [...commands[name]],
      envs: [
        { key: "WEB_IPV4", value: Buffer.from(pod.ipv4) },
        { key: "WEB_IPV6", value: Buffer.from(pod.ipv6) },
      ],
      log_path: `${name}.log`,
      linux: { security_context: { namespace_options: separatePids } },
    },
  });
  await cri.call("StartContainer", { container_id: id });
  return id;
}

/** Waits for a container's end. @returns its exit code */
export async function exitCodeOf(cri: CriClient, id: string): Promise<number> {
  return eventually(
    `container ${id.slice(0, 13)} to end`,
    async () => {
      const { status } = await cri.call("ContainerStatus", { container_id: id });
      return status?.state === "CONTAINER_EXITED" ? { code: status.exit_code } : undefined;
    },
    60_000,
  ).then(({ code }) => code);
}

/** Fetches the pod's page from outside. @returns the page's size in bytes */
export async function probe(address: string): Promise<number> {
  const host = address.includes(":") ? `[${address}]` : address;
  const answer = await eventually(`an answer from http://${host}/`, () =>
    fetch(`http://${host}/`, { signal: AbortSignal.timeout(2_000) }),
  );
  if (answer.status !== 200) throw new Error(`http://${host}/ answered ${answer.status} instead of 200`);
  return (await answer.arrayBuffer()).byteLength;
}

/** What a container wrote, from its CRI log: "TIME STREAM TAG TEXT" a line. */
export function logLines(pod: Pod, name: "web" | "client"): readonly string[] {
  const text = readFileSync(join(pod.config.log_directory ?? "", `${name}.log`), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ").slice(3).join(" "));
}
