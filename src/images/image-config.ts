import { posix } from "node:path";
import type { AgentError } from "../common/errors.ts";
import type { Digest } from "../common/ids.ts";
import { signalNumber } from "../common/signal-number.ts";
import {
  field,
  type JsonObject,
  malformed,
  parseJsonDocument,
  readDigest,
  readList,
  readObject,
  readText,
  readTextList,
  readTextMap,
} from "./json-document.ts";
import type { Platform } from "./platform.ts";

export const maxConfigBytes = 8 * 1024 * 1024;
const maxWords = 4096;
const maxVolumes = 100;
const maxLabelBytes = 256 * 1024;
/** As containerd and runc: larger numbers have been taken for 0 (CVE-2024-40635). */
const maxUserId = 2 ** 31 - 1;

/** What an image wants of its containers; checked, and never trusted with more than it says. */
export interface ImageConfig {
  /** `user`, `uid`, `user:group` or `uid:gid`; empty: root. */
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Absolute and without `..`, or empty. */
  readonly workingDir: string;
  /** Name or number, or empty. */
  readonly stopSignal: string;
  /** Absolute paths without `..`. */
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly architecture: string;
  readonly os: string;
}

/** A parsed image configuration document. */
export interface ImageConfigDocument {
  readonly config: ImageConfig;
  readonly platform: Platform;
  /** Digest of each layer's tar, lowest first. */
  readonly diffIds: readonly Digest[];
}

/** @throws AgentError FailedPrecondition naming the field that is wrong */
export function parseImageConfig(bytes: Uint8Array, digest: Digest): ImageConfigDocument {
  const what = `image configuration "${digest}"`;
  const json = parseJsonDocument(bytes, what);
  const rootfs = readObject(field(json, "rootfs"), `${what}, rootfs`);
  if (readText(rootfs, "type", what) !== "layers") throw malformed(`${what}, rootfs.type`, 'must be "layers"');
  const platform = {
    os: readText(json, "os", what),
    architecture: readText(json, "architecture", what),
    variant: readText(json, "variant", what),
  };
  if (platform.os === "" || platform.architecture === "") throw malformed(what, "os and architecture are required");
  return {
    config: readImageConfig(readObject(field(json, "config") ?? {}, `${what}, config`), platform, what),
    platform,
    diffIds: readList(rootfs, "diff_ids", what, 1000).map((value, index) =>
      readDigest(value, `${what}, rootfs.diff_ids[${index}]`),
    ),
  };
}

function readImageConfig(json: JsonObject, platform: Platform, what: string): ImageConfig {
  const volumes = Object.keys(readObject(field(json, "Volumes") ?? {}, `${what}, Volumes`));
  if (volumes.length > maxVolumes)
    throw malformed(`${what}, Volumes`, `has ${volumes.length} paths, more than ${maxVolumes}`);
  const workingDir = readText(json, "WorkingDir", what);
  return {
    user: checkUser(readText(json, "User", what), `${what}, User`),
    env: checkEnv(readTextList(json, "Env", what, maxWords), `${what}, Env`),
    entrypoint: readTextList(json, "Entrypoint", what, maxWords),
    cmd: readTextList(json, "Cmd", what, maxWords),
    workingDir: workingDir === "" ? "" : insidePath(workingDir, `${what}, WorkingDir`),
    stopSignal: checkStopSignal(readText(json, "StopSignal", what), `${what}, StopSignal`),
    volumes: volumes.map((path) => insidePath(path, `${what}, Volumes`)),
    labels: readTextMap(json, "Labels", what, maxLabelBytes),
    architecture: platform.architecture,
    os: platform.os,
  };
}

/**
 * Checks a `user[:group]` text. What looks like a number must be one from 0 to 2^31 - 1 and is never looked up as a name.
 * @throws AgentError FailedPrecondition
 */
export function checkUser(user: string, what: string): string {
  if (user === "") return user;
  const parts = user.split(":");
  const good = parts.length <= 2 && parts.every((part, index) => isUserPart(part) || (index === 1 && part === ""));
  if (good) return user;
  throw malformedValue(
    what,
    user,
    `must be a name or a number from 0 to ${maxUserId}, with an optional group after a colon`,
  );
}

function isUserPart(part: string): boolean {
  if (/^[-+]?[0-9]/.test(part) && !/[g-zG-Z_]/.test(part.replace(/^[-+]?0[xXoObB]/, ""))) {
    return /^[0-9]{1,10}$/.test(part) && Number(part) <= maxUserId;
  }
  return /^[^\s:/\p{C}-][^\s:/\p{C}]{0,255}$/u.test(part);
}

function checkEnv(env: readonly string[], what: string): readonly string[] {
  for (const entry of env) {
    if (entry.startsWith("=") || entry === "") throw malformed(what, "every entry needs a name");
  }
  return env;
}

function checkStopSignal(signal: string, what: string): string {
  // Found out only when a container is to be stopped, it would come too late.
  if (signal === "" || signalNumber(signal) !== undefined) return signal;
  throw malformedValue(what, signal, "must be a signal's name or number");
}

/** A path that is absolute as written and, once cleaned, cannot lead above the root or into an open file of the runtime. */
function insidePath(path: string, what: string): string {
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, "");
  const fdPath = /^\/proc\/(?:self|thread-self|[0-9]+)(?:\/task\/[0-9]+)?\/(?:fd|cwd|root)(?:\/|$)/;
  if (!path.startsWith("/") || path.length > 4096 || path.includes("\0"))
    throw malformedValue(what, path, "must be an absolute path of at most 4096 characters without NUL");
  if (fdPath.test(clean))
    throw malformedValue(what, path, "must not point into a process's open files (CVE-2024-21626)");
  return clean;
}

function malformedValue(what: string, value: string, why: string): AgentError {
  return malformed(`${what} ${JSON.stringify(value.slice(0, 100))}`, why);
}
