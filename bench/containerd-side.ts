import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { output } from "../test/support/command.ts";
import { CriClient } from "../test/support/cri-client.ts";
import { freeNetwork } from "../test/support/free-network.ts";
import { Daemon } from "./daemon.ts";
import type { BenchImage } from "./images.ts";
import { containerdPlace, place, registryName } from "./place.ts";
import type { Side } from "./side.ts";

const socket = join(containerdPlace.state, "containerd.sock");
const cri = "io.containerd.grpc.v1.cri";

/** Starts Debian's containerd with its defaults; what is set is what makes it run beside others on this machine. */
export async function startContainerd(): Promise<Side> {
  for (const directory of [containerdPlace.root, containerdPlace.state]) mkdirSync(directory, { recursive: true });
  const config = join(place.base, "containerd.toml");
  writeFileSync(config, stringify(containerdConfig(await writeCniConfig())));
  const argv = ["/usr/bin/containerd", "--config", config];
  const daemon = await Daemon.start("containerd", argv, join(place.base, "containerd.log"));
  const client = new CriClient(socket);
  await daemon.ready(async () => {
    const { status } = await client.call("Status", {}, { timeoutMs: 2_000 });
    const missing = status?.conditions.find((condition) => !condition.status);
    if (missing !== undefined) throw new Error(`${missing.type}: ${missing.message}`);
  });
  return { name: "containerd", socket, client, daemon, withLayers, stored };
}

function containerdConfig(cniDirectory: string): object {
  const runtime = (binary: string) => ({ runtime_type: "io.containerd.runc.v2", options: { BinaryName: binary } });
  return {
    version: 2,
    root: containerdPlace.root,
    state: containerdPlace.state,
    grpc: { address: socket },
    plugins: {
      [cri]: {
        sandbox_image: `${registryName}/pause:1`,
        stream_server_address: "127.0.0.1",
        stream_server_port: "0",
        // Without it runc fails where root may not lower oom_score_adj, as inside a container.
        restrict_oom_score_adj: true,
        netns_mounts_under_state_dir: true,
        cni: { bin_dir: "/usr/lib/cni", conf_dir: cniDirectory },
        registry: { config_path: place.certs },
        containerd: {
          default_runtime_name: "runc",
          runtimes: { runc: runtime("runc"), crun: runtime("crun") },
        },
      },
      "io.containerd.internal.v1.opt": { path: join(containerdPlace.root, "opt") },
    },
  };
}

/**
 * The cheapest network that gives a pod an address of its own: a veth pair and a route. IPv4 only, no masquerading, no
 * port mapping: each of them would only make containerd slower.
 */
async function writeCniConfig(): Promise<string> {
  const directory = join(place.base, "cni");
  mkdirSync(directory, { recursive: true });
  const { ipv4 } = await freeNetwork(45, 60);
  const ipam = {
    type: "host-local",
    dataDir: join(containerdPlace.state, "cni-addresses"),
    ranges: [[{ subnet: `${ipv4}.0.0/16` }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  const network = { cniVersion: "1.0.0", name: "podling-bench", plugins: [{ type: "ptp", ipMasq: false, ipam }] };
  writeFileSync(join(directory, "10-ptp.conflist"), JSON.stringify(network));
  return directory;
}

interface Mount {
  readonly Source: string;
  readonly Options: readonly string[];
}

async function withLayers<T>(image: BenchImage, work: (directories: readonly string[]) => Promise<T>): Promise<T> {
  return await work(await layerDirectories(image));
}

/** Asks for a read-only view of the chain, notes the directories its mount would name, and takes the view back. */
async function layerDirectories({ topChainId }: BenchImage): Promise<readonly string[]> {
  const ctr = (...words: readonly string[]) => output(["ctr", "--address", socket, "--namespace", "k8s.io", ...words]);
  const key = "podling-bench-view";
  const mounts = JSON.parse(await ctr("snapshots", "view", "--mounts", key, topChainId)) as readonly Mount[];
  await ctr("snapshots", "remove", key);
  const lower = mounts[0]?.Options.find((option) => option.startsWith("lowerdir="));
  // A chain of one layer is no overlay but a bind mount.
  return lower?.slice("lowerdir=".length).split(":") ?? [mounts[0]?.Source ?? ""];
}

function stored(): readonly string[] {
  return ["io.containerd.content.v1.content/blobs/sha256", "io.containerd.snapshotter.v1.overlayfs/snapshots"].flatMap(
    (directory) => {
      const path = join(containerdPlace.root, directory);
      return existsSync(path) ? readdirSync(path).map((name) => `${directory}/${name}`) : [];
    },
  );
}
