import type { Device__Output } from "../generated/runtime/v1/Device.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import { checkAbsolutePath, cleanPath } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";
import { admit, type Profile } from "./profile-policy.ts";

type DeviceRequest = ContainerSpec["settings"]["devices"][number];

/**
 * The host's devices a container asks for.
 * @throws AgentError InvalidArgument
 */
export function decodeDevices(
  profile: Profile,
  field: string,
  devices: readonly Device__Output[],
): readonly DeviceRequest[] {
  return devices.map((device, index) => decodeDevice(profile, `${field}[${index}]`, device));
}

function decodeDevice(profile: Profile, field: string, device: Device__Output): DeviceRequest {
  const { host_path, container_path, permissions } = device;
  if (host_path === "") throw missing(`${field}.host_path`);
  checkAbsolutePath(`${field}.host_path`, host_path);
  admit(profile, "hostDevice", `${field}.host_path`, host_path);
  if (container_path !== "") {
    checkAbsolutePath(`${field}.container_path`, container_path);
    if (cleanPath(container_path) === "/") throw invalid(`${field}.container_path`, container_path, "must not be /");
  }
  if (!/^[rwm]*$/.test(permissions) || new Set(permissions).size !== permissions.length) {
    throw invalid(`${field}.permissions`, permissions, 'must be letters of "rwm", each at most once; empty for all');
  }
  return {
    hostPath: host_path,
    containerPath: container_path === "" ? "" : cleanPath(container_path),
    permissions: permissions || "rwm",
  };
}
