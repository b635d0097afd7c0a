import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { stringify } from "smol-toml";
import { indexedLayerPaths } from "../src/images/erofs/indexed-layer-paths.ts";
import { mountIndexedLayer } from "../src/images/erofs/mount-indexed-layer.ts";
import { decodeSnapshot, type Snapshot } from "../src/images/snapshot-record.ts";
import { unmount } from "../src/system/mount.ts";
import { CriClient } from "../test/support/cri-client.ts";
import { freeNetwork } from "../test/support/free-network.ts";
import { Daemon } from "./daemon.ts";
import type { BenchImage } from "./images.ts";
import { place, podlingPlace } from "./place.ts";
import type { Snapshotter } from "./settings.ts";
import type { Side } from "./side.ts";

const program = join(import.meta.dirname, "../bin/podling");

/** Starts Podling as it comes: only directories, names, network, mirrors and the snapshotter are set. */
export async function startPodling(snapshotter: Snapshotter): Promise<Side> {
  const config = await writeConfig(snapshotter);
  const socket = join(podlingPlace.state, "podling.sock");
  const argv = [program, "serve", "--config", config];
  const daemon = await Daemon.start("podling", argv, join(place.base, "podling.log"));
  const client = new CriClient(socket);
  await daemon.ready(() => client.call("Version", {}, { timeoutMs: 2_000 }));
  return { name: "podling", socket, client, daemon, withLayers, stored };
}

async function writeConfig(snapshotter: Snapshotter): Promise<string> {
  for (const directory of [podlingPlace.root, podlingPlace.state]) mkdirSync(directory, { recursive: true });
  const { ipv4, ipv6 } = await freeNetwork(30, 45);
  const config = {
    instance: podlingPlace.name,
    root: podlingPlace.root,
    state: podlingPlace.state,
    // critest runs pods that profile "eci" refuses.
    profile: "node",
    grpc: { address: join(podlingPlace.state, "podling.sock") },
    metrics: { address: "127.0.0.1:0" },
    images: { snapshotter },
    registry: { config_path: place.certs },
    network: {
      vpcs: [{ id: "vpc-bench", cidr: `${ipv4}.0.0/16`, ipv6_cidr: `${ipv6}::/56`, nat_gateway: true }],
      vswitches: [
        { id: "vsw-bench", vpc: "vpc-bench", zone: "local-a", cidr: `${ipv4}.0.0/20`, ipv6_cidr: `${ipv6}::/64` },
      ],
    },
    manifests: { dir: join(place.base, "manifests.d") },
  };
  const path = join(place.base, "podling.toml");
  writeFileSync(path, stringify(config));
  return path;
}

/** Mounts what has to be mounted in a place of the benchmark's own, for the agent is in a mount namespace of its own. */
async function withLayers<T>(image: BenchImage, work: (directories: readonly string[]) => Promise<T>): Promise<T> {
  await using mounted = new AsyncDisposableStack();
  const directories = readChain(image).map(({ number, form }) => {
    const paths = indexedLayerPaths(join(podlingPlace.root, "snapshots", String(number)));
    if (form === "overlay") return paths.tree;
    const tree = join(place.layers, String(number));
    mkdirSync(tree, { recursive: true });
    mountIndexedLayer({ ...paths, tree });
    mounted.defer(() => unmount(tree));
    return tree;
  });
  return await work(directories);
}

/** Reads the records beside the running agent. @returns the image's layers, topmost first */
function readChain({ topChainId }: BenchImage): readonly Snapshot[] {
  const database = new DatabaseSync(join(podlingPlace.root, "records.db"), { readOnly: true });
  try {
    const rows = database.prepare("SELECT body FROM snapshots").all();
    const all = rows.map((row) => decodeSnapshot(JSON.parse(String(row["body"]))));
    const byChain = new Map<string, Snapshot>(all.map((snapshot) => [snapshot.chainId, snapshot]));
    const chain: Snapshot[] = [];
    for (let at = byChain.get(topChainId); at !== undefined; at = byChain.get(at.parentChainId ?? "")) chain.push(at);
    return chain;
  } finally {
    database.close();
  }
}

function stored(): readonly string[] {
  return ["snapshots", "content/sha256", "ingest"].flatMap((directory) =>
    readdirSync(join(podlingPlace.root, directory)).map((name) => `${directory}/${name}`),
  );
}
