import { join } from "node:path";

/** A tmpfs of the benchmark's own: configurations, sockets, bundles, logs. Only root may write above it. */
const base = "/run/podling-bench";

/** All that the benchmark puts on the machine. Nothing here is shared with an agent or a containerd in service. */
export const place = {
  base,
  /** Where the storage that both sides unpack to is mounted. */
  storage: join(base, "storage"),
  /** Backs `storage` when it is ext4 or a directory of the disk. */
  disk: "/var/tmp/podling-bench",
  /** hosts.toml files, the same for both sides. */
  certs: join(base, "certs.d"),
  registryLog: join(base, "registry.log"),
  podLogs: join(base, "pod-logs"),
  /** Where a chain of layers is mounted to be looked at. */
  view: join(base, "view"),
  /** Where layers that are no directories are mounted to be looked at. */
  layers: join(base, "layers"),
  /** Held by a running benchmark; apart from the base, which goes when it ends. */
  lock: "/run/podling-bench.lock",
  /** Every process of a run is in a control group below this one, in each hierarchy that counts. */
  group: "/bench-of-podling",
  /** Parent of the pods of both sides. */
  podGroup: "/bench-of-podling/pods",
} as const;

/** Podling's own directories and names. */
export const podlingPlace = {
  name: "bench",
  root: join(place.storage, "podling"),
  state: join(base, "podling"),
} as const;

/** containerd's own directories. */
export const containerdPlace = {
  root: join(place.storage, "containerd"),
  state: join(base, "containerd"),
} as const;

/** What outlives a run: pushed images and raw results. */
export const cache = {
  registry: join(import.meta.dirname, "../.cache/bench/registry"),
  images: join(import.meta.dirname, "../.cache/bench/images.json"),
  results: join(import.meta.dirname, "../.cache/bench"),
} as const;

/** The images' host; certs.d says that the registry on loopback answers for it. */
export const registryName = "registry.bench";
