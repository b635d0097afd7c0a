import { readdir, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, errorText } from "../common/errors.ts";
import { type CdiSpec, parseCdiSpec } from "./cdi-spec.ts";
import { readDeviceNode } from "./host-devices.ts";
import { type CdiFile, type DeviceEdits, planCdi, type ResolvedCdi } from "./plan-cdi.ts";
import type { GrantedDevice } from "./spec-devices.ts";

/**
 * Looks CDI devices up in the directories as they are now, and finds their nodes on the host.
 * @param directories a later one's definition of a device wins
 * @param names as "vendor/class=device"
 * @throws AgentError NotFound, InvalidArgument naming the device
 */
export async function resolveCdi(directories: readonly string[], names: readonly string[]): Promise<ResolvedCdi> {
  if (names.length === 0) return { edits: [], nodes: [] };
  const files = (await Promise.all(directories.map(readDirectory))).flat();
  const edits = planCdi(names, files);
  const nodes = await Promise.all(edits.flatMap(({ deviceNodes }) => deviceNodes).map(resolveNode));
  return { edits, nodes };
}

async function readDirectory(directory: string, priority: number): Promise<readonly CdiFile[]> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.(json|yaml)$/.test(name)).sort();
    return await Promise.all(names.map((name) => readSpec(join(directory, name), priority)));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    return [{ path: directory, priority, fault: errorText(error) }];
  }
}

/** A broken file hurts those who ask for its devices, and nobody else. */
async function readSpec(path: string, priority: number): Promise<CdiFile> {
  try {
    const spec: CdiSpec = parseCdiSpec(await readFile(path, "utf8"));
    return { path, priority, spec };
  } catch (error) {
    return { path, priority, fault: errorText(error) };
  }
}

/** What a spec leaves out of a node is as on the host. */
async function resolveNode(node: DeviceEdits): Promise<Omit<GrantedDevice, "uid" | "gid"> & DeviceOwner> {
  const hostPath = node.hostPath ?? node.path;
  const given = node.type !== undefined && node.major !== undefined && node.minor !== undefined;
  const found = given ? undefined : readDeviceNode(await realpath(hostPath).catch(() => hostPath));
  const type = (node.type === "u" ? "c" : node.type) ?? found?.type;
  if (type === undefined) {
    throw new AgentError("NotFound", `Can't give the CDI device node "${node.path}": "${hostPath}" is no device here`);
  }
  return {
    path: node.path,
    type,
    major: node.major ?? found?.major ?? 0,
    minor: node.minor ?? found?.minor ?? 0,
    fileMode: node.fileMode ?? found?.fileMode ?? 0o666,
    uid: node.uid,
    gid: node.gid,
    access: node.permissions || "rwm",
  };
}

interface DeviceOwner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}
