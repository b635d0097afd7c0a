import type { FilesystemUsage } from "../generated/runtime/v1/FilesystemUsage.ts";
import type { Image } from "../generated/runtime/v1/Image.ts";
import type { ImageRecord } from "../images/image-record.ts";
import { encodeTimestamp } from "./timestamps.ts";

/** An image as every RPC shows it, whatever name led to it. */
export function encodeImage(image: ImageRecord): Image {
  return {
    id: image.id,
    repo_tags: [...image.tags],
    repo_digests: [...image.digests],
    // Clients take 0 for a broken image.
    size: String(Math.max(1, image.sizeBytes)),
    ...encodeUser(image.config.user),
    spec: { image: image.tags[0] ?? image.digests[0] ?? image.id, annotations: image.annotations },
    pinned: image.pinned,
  };
}

/** The user part of "user:group": a number is a uid, other text a name, nothing neither. */
function encodeUser(text: string): Pick<Image, "uid" | "username"> {
  const [user = ""] = text.split(":");
  if (user === "") return {};
  return /^\d{1,10}$/.test(user) ? { uid: { value: user } } : { username: user };
}

/** Details for `crictl inspecti`, under the names of containerd and of the OCI image config. */
export function describeImage(image: ImageRecord): object {
  const { config } = image;
  return {
    chainID: image.chainIds.at(-1) ?? "",
    imageSpec: {
      architecture: config.architecture,
      os: config.os,
      config: {
        User: config.user,
        Env: config.env,
        Entrypoint: config.entrypoint,
        Cmd: config.cmd,
        WorkingDir: config.workingDir,
        StopSignal: config.stopSignal,
        Volumes: Object.fromEntries(config.volumes.map((path) => [path, {}])),
        Labels: config.labels,
      },
    },
  };
}

/** How full the filesystem of the images is. */
export function encodeFilesystem(usage: {
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
  readonly timestampMs: number;
}): FilesystemUsage {
  return {
    timestamp: encodeTimestamp(usage.timestampMs),
    fs_id: { mountpoint: usage.mountpoint },
    used_bytes: { value: String(Math.round(usage.usedBytes)) },
    inodes_used: { value: String(Math.round(usage.inodesUsed)) },
  };
}
