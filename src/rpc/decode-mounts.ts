import type { Mount__Output } from "../generated/runtime/v1/Mount.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import { checkAbsolutePath, cleanPath } from "./field-checks.ts";
import { invalid, missing, notBuilt } from "./field-error.ts";
import { admitHostPath, type Profile } from "./profile-policy.ts";

type BindMount = ContainerSpec["settings"]["mounts"][number];

/**
 * The host paths a container gets, in the order given and as spelled, for they are reported back.
 * @throws AgentError InvalidArgument, Unimplemented
 */
export function decodeMounts(profile: Profile, field: string, mounts: readonly Mount__Output[]): readonly BindMount[] {
  const places = new Map<string, number>();
  return mounts.map((mount, index) => {
    const decoded = decodeMount(profile, `${field}[${index}]`, mount);
    const place = cleanPath(decoded.containerPath);
    const other = places.get(place);
    if (other !== undefined) {
      throw invalid(
        `${field}[${index}].container_path`,
        mount.container_path,
        `${field}[${other}] is mounted there too`,
      );
    }
    places.set(place, index);
    return decoded;
  });
}

function decodeMount(profile: Profile, field: string, mount: Mount__Output): BindMount {
  if (mount.container_path === "") throw missing(`${field}.container_path`);
  checkAbsolutePath(`${field}.container_path`, mount.container_path);
  const place = cleanPath(mount.container_path);
  if (place === "/" || place === "/proc" || place.startsWith("/proc/")) {
    throw invalid(`${field}.container_path`, mount.container_path, "must be neither / nor in /proc");
  }
  refuseUnbuilt(field, mount);
  if (mount.host_path === "") throw missing(`${field}.host_path`);
  checkAbsolutePath(`${field}.host_path`, mount.host_path);
  admitHostPath(profile, `${field}.host_path`, mount.host_path);
  return {
    hostPath: mount.host_path,
    containerPath: mount.container_path,
    readonly: mount.readonly,
    propagation: decodePropagation(`${field}.propagation`, mount),
  };
}

function decodePropagation(field: string, mount: Mount__Output): BindMount["propagation"] {
  switch (mount.propagation) {
    case "PROPAGATION_PRIVATE":
      return "private";
    case "PROPAGATION_HOST_TO_CONTAINER":
    case "PROPAGATION_BIDIRECTIONAL":
      throw notBuilt(field, mount.propagation, "mount propagation is");
    default:
      throw invalid(field, mount.propagation satisfies never, "must be one of the contract's MountPropagation");
  }
}

/** selinux_relabel is no part of this: where it is left out, a labelled host refuses access, which is the safe side. */
function refuseUnbuilt(field: string, mount: Mount__Output): void {
  if (mount.image !== null) throw notBuilt(`${field}.image`, mount.image.image, "image mounts are");
  if (mount.image_sub_path !== "") {
    throw invalid(`${field}.image_sub_path`, mount.image_sub_path, "must be empty without image");
  }
  if (mount.recursive_read_only) {
    throw notBuilt(`${field}.recursive_read_only`, true, "recursively read-only mounts are");
  }
  if (mount.uidMappings.length + mount.gidMappings.length > 0) {
    throw notBuilt(`${field}.uidMappings`, mount.uidMappings.length, "id-mapped mounts are");
  }
  const [option] = mount.mount_options;
  if (option !== undefined) throw notBuilt(`${field}.mount_options[0]`, option, "mount options are");
}
