import type { Mount__Output } from "../generated/runtime/v1/Mount.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { decodeIdRange } from "./decode-user-namespace.ts";
import { checkAbsolutePath, checkName, checkRelativePath, cleanPath } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";
import { admitHostPath, type Profile } from "./profile-policy.ts";

type MountRequest = ContainerSpec["settings"]["mounts"][number];
type ImageMount = Extract<MountRequest, { readonly image: string }>;
type UserMapping = NonNullable<SandboxSpec["namespaces"]["user"]>;
type BindMount = Exclude<MountRequest, ImageMount>;

/** Options that only restrict a mount, or tell how access times are kept; others could undo what the host's mount forbids. */
const mountOptions: ReadonlySet<string> = new Set(["noexec", "nodev", "nosuid", "noatime", "nodiratime", "relatime"]);

/**
 * The host paths and images a container gets, in the order given and as spelled, for they are reported back.
 * @param user of the pod, if it has a user namespace
 * @throws AgentError InvalidArgument
 */
export function decodeMounts(
  profile: Profile,
  field: string,
  mounts: readonly Mount__Output[],
  user?: UserMapping,
): readonly MountRequest[] {
  const places = new Map<string, number>();
  return mounts.map((mount, index) => {
    const decoded = decodeMount(profile, `${field}[${index}]`, mount, user);
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

function decodeMount(
  profile: Profile,
  field: string,
  mount: Mount__Output,
  user: UserMapping | undefined,
): MountRequest {
  if (mount.container_path === "") throw missing(`${field}.container_path`);
  checkAbsolutePath(`${field}.container_path`, mount.container_path);
  const place = cleanPath(mount.container_path);
  if (place === "/" || place === "/proc" || place.startsWith("/proc/")) {
    throw invalid(`${field}.container_path`, mount.container_path, "must be neither / nor in /proc");
  }
  const idMapped = decodeIdMapped(field, mount, user);
  if (mount.image !== null) return decodeImage(field, mount);
  return { ...decodeBind(profile, field, mount), ...(idMapped && { idMapped }) };
}

/** kubelet tells each volume's mapping, which is the pod's. */
function decodeIdMapped(field: string, mount: Mount__Output, user: UserMapping | undefined): true | undefined {
  const { uidMappings, gidMappings } = mount;
  if (uidMappings.length + gidMappings.length === 0) return undefined;
  const asked: UserMapping = {
    uids: decodeIdRange(`${field}.uidMappings`, uidMappings),
    gids: decodeIdRange(`${field}.gidMappings`, gidMappings),
  };
  if (user !== undefined && JSON.stringify(asked) === JSON.stringify(user)) return true;
  throw invalid(`${field}.uidMappings`, uidMappings.length, "must be, with gidMappings, the pod sandbox's own mapping");
}

function decodeBind(profile: Profile, field: string, mount: Mount__Output): BindMount {
  if (mount.image_sub_path !== "") {
    throw invalid(`${field}.image_sub_path`, mount.image_sub_path, "must be empty without image");
  }
  if (mount.host_path === "") throw missing(`${field}.host_path`);
  checkAbsolutePath(`${field}.host_path`, mount.host_path);
  admitHostPath(profile, `${field}.host_path`, mount.host_path);
  return {
    hostPath: mount.host_path,
    containerPath: mount.container_path,
    readonly: mount.readonly,
    propagation: decodePropagation(`${field}.propagation`, mount),
    ...(mount.selinux_relabel && { selinuxRelabel: true }),
    ...decodeExtras(field, mount),
  };
}

function decodeImage(field: string, mount: Mount__Output): ImageMount {
  const name = mount.image?.image ?? "";
  if (name === "") throw missing(`${field}.image.image`);
  if (mount.host_path !== "") {
    throw invalid(`${field}.host_path`, mount.host_path, "must be empty beside an image");
  }
  if (!mount.readonly) throw invalid(`${field}.readonly`, false, "must be true: an image can only be read");
  if (decodePropagation(`${field}.propagation`, mount) !== "private") {
    throw invalid(`${field}.propagation`, mount.propagation, "must be PROPAGATION_PRIVATE for an image");
  }
  return {
    image: checkName(`${field}.image.image`, name),
    imageSubPath: mount.image_sub_path === "" ? "" : checkRelativePath(`${field}.image_sub_path`, mount.image_sub_path),
    containerPath: mount.container_path,
    ...decodeExtras(field, mount),
  };
}

function decodePropagation(field: string, mount: Mount__Output): BindMount["propagation"] {
  switch (mount.propagation) {
    case "PROPAGATION_PRIVATE":
      return "private";
    case "PROPAGATION_HOST_TO_CONTAINER":
      return "host-to-container";
    case "PROPAGATION_BIDIRECTIONAL":
      return "bidirectional";
    default:
      throw invalid(field, mount.propagation satisfies never, "must be one of the contract's MountPropagation");
  }
}

/** What host paths and images have in common. */
function decodeExtras(field: string, mount: Mount__Output): Pick<BindMount, "recursiveReadOnly" | "options"> {
  if (mount.recursive_read_only && !mount.readonly) {
    throw invalid(`${field}.recursive_read_only`, true, "needs readonly to be true as well");
  }
  if (mount.recursive_read_only && mount.propagation !== "PROPAGATION_PRIVATE") {
    throw invalid(`${field}.recursive_read_only`, true, `needs PROPAGATION_PRIVATE, not ${mount.propagation}`);
  }
  mount.mount_options.forEach((option, index) => {
    if (mountOptions.has(option)) return;
    throw invalid(`${field}.mount_options[${index}]`, option, `must be one of ${[...mountOptions].join(", ")}`);
  });
  return {
    ...(mount.recursive_read_only && { recursiveReadOnly: true }),
    ...(mount.mount_options.length > 0 && { options: mount.mount_options }),
  };
}
