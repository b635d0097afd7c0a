import type { Digest } from "../common/ids.ts";
import type { ImageConfig } from "./image-config.ts";
import {
  field,
  type JsonObject,
  malformed,
  readDigest,
  readList,
  readObject,
  readSize,
  readText,
  readTextList,
  readTextMap,
} from "./json-document.ts";

/** An image that is wholly on this node. */
export interface ImageRecord {
  /** Digest of its configuration: the same whatever registry and tag it came by. */
  readonly id: Digest;
  /** Full references with tag, such as "docker.io/library/busybox:latest". */
  readonly tags: readonly string[];
  /** Full references with digest, such as "docker.io/library/busybox@sha256:…". */
  readonly digests: readonly string[];
  /** Chain ids of its layers, lowest first; at least one. */
  readonly chainIds: readonly Digest[];
  /** Compressed size: layers, configuration and manifest. */
  readonly sizeBytes: number;
  readonly config: ImageConfig;
  /** Whether image garbage collection must spare it. */
  readonly pinned: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  /** When it came to this node first, ISO 8601. */
  readonly createdAt: string;
  /** Manifests, indexes and configuration in the content store. */
  readonly contentDigests: readonly Digest[];
}

const max = 100_000;

/** Checks a record that the disk gave back. @throws AgentError FailedPrecondition */
export function decodeImageRecord(value: unknown): ImageRecord {
  const what = "image record";
  const json = readObject(value, what);
  const pinned = field(json, "pinned");
  if (typeof pinned !== "boolean") throw malformed(`${what}, pinned`, "must be true or false");
  return {
    id: readDigest(field(json, "id"), `${what}, id`),
    tags: readTextList(json, "tags", what, max),
    digests: readTextList(json, "digests", what, max),
    chainIds: readDigests(json, "chainIds", what),
    sizeBytes: readSize(json, "sizeBytes", what),
    config: decodeConfig(readObject(field(json, "config"), `${what}, config`), what),
    pinned,
    annotations: readTextMap(json, "annotations", what, Number.POSITIVE_INFINITY),
    createdAt: readText(json, "createdAt", what),
    contentDigests: readDigests(json, "contentDigests", what),
  };
}

export function readDigests(json: JsonObject, name: string, what: string): readonly Digest[] {
  return readList(json, name, what, max).map((entry) => readDigest(entry, `${what}, ${name}`));
}

function decodeConfig(json: JsonObject, what: string): ImageConfig {
  return {
    user: readText(json, "user", what),
    env: readTextList(json, "env", what, max),
    entrypoint: readTextList(json, "entrypoint", what, max),
    cmd: readTextList(json, "cmd", what, max),
    workingDir: readText(json, "workingDir", what),
    stopSignal: readText(json, "stopSignal", what),
    volumes: readTextList(json, "volumes", what, max),
    labels: readTextMap(json, "labels", what, Number.POSITIVE_INFINITY),
    architecture: readText(json, "architecture", what),
    os: readText(json, "os", what),
  };
}
