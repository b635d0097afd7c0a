import { realpath, stat } from "node:fs/promises";
import { posix } from "node:path";
import { AgentError } from "../common/errors.ts";
import type { DeviceRequest } from "./container-settings.ts";
import { readDeviceNode, readHostDevices } from "./host-devices.ts";
import type { GrantedDevice } from "./spec-devices.ts";

/**
 * Finds the host's devices that a container asks for. Symbolic links are followed, and a directory stands for all
 * devices below it.
 * @throws AgentError InvalidArgument naming the field
 */
export async function resolveDevices(requests: readonly DeviceRequest[]): Promise<readonly GrantedDevice[]> {
  const found = await Promise.all(requests.map(resolveDevice));
  return found.flat();
}

async function resolveDevice(request: DeviceRequest, index: number): Promise<readonly GrantedDevice[]> {
  const { hostPath, containerPath, permissions } = request;
  const place = containerPath || hostPath;
  try {
    const path = await realpath(hostPath);
    if (!(await stat(path)).isDirectory()) {
      const node = readDeviceNode(path);
      if (node === undefined) throw new Error("it is no device node");
      return [{ ...node, path: place, access: permissions }];
    }
    const nodes = readHostDevices(path);
    if (nodes.length === 0) throw new Error("it is a directory without a device node");
    return nodes.map((node) => ({
      ...node,
      path: posix.join(place, posix.relative(path, node.path)),
      access: permissions,
    }));
  } catch (cause) {
    const quoted = JSON.stringify(hostPath.slice(0, 200));
    throw new AgentError("InvalidArgument", `Can't use devices[${index}].host_path ${quoted} as a device`, { cause });
  }
}
