import { AgentError } from "../common/errors.ts";
import { type CdiEdits, type CdiSpec, splitCdiName } from "./cdi-spec.ts";
import type { OciHooks, OciMount, OciSpec } from "./oci-spec.ts";
import type { GrantedDevice } from "./spec-devices.ts";

/** A file of a CDI directory: read, or broken. Of two directories the one with the higher priority wins. */
export type CdiFile =
  | { readonly path: string; readonly priority: number; readonly spec: CdiSpec }
  | { readonly path: string; readonly priority: number; readonly fault: string };

export type DeviceEdits = CdiEdits["deviceNodes"][number];

/** What the devices of a container change in its spec. */
export interface ResolvedCdi {
  readonly edits: readonly CdiEdits[];
  /** Every device node of the edits. An owner that is not given is the container's user. */
  readonly nodes: readonly (Omit<GrantedDevice, "uid" | "gid"> & {
    readonly uid: number | undefined;
    readonly gid: number | undefined;
  })[];
}

/**
 * The edits of CDI devices in order: those of a spec as a whole once, before its first device's.
 * @throws AgentError NotFound for devices that no spec defines, FailedPrecondition for one that two specs define alike
 */
export function planCdi(names: readonly string[], files: readonly CdiFile[]): readonly CdiEdits[] {
  const used = new Set<CdiSpec>();
  const missing: string[] = [];
  const edits: CdiEdits[] = [];
  for (const name of new Set(names)) {
    const found = findDevice(name, files);
    if (found === undefined) {
      missing.push(name);
      continue;
    }
    if (!used.has(found.spec) && found.spec.containerEdits !== undefined) edits.push(found.spec.containerEdits);
    used.add(found.spec);
    edits.push(found.edits);
  }
  if (missing.length > 0) throw unresolved(missing, files);
  return edits;
}

function findDevice(name: string, files: readonly CdiFile[]): { spec: CdiSpec; edits: CdiEdits } | undefined {
  const wanted = splitCdiName(name);
  const candidates = files.flatMap((file) => {
    if (!("spec" in file) || file.spec.kind !== wanted?.kind) return [];
    const device = file.spec.devices.find((one) => one.name === wanted.device);
    return device === undefined ? [] : [{ ...file, edits: device.containerEdits }];
  });
  const highest = Math.max(...candidates.map(({ priority }) => priority));
  const [first, second] = candidates.filter(({ priority }) => priority === highest);
  if (first !== undefined && second !== undefined) {
    throw new AgentError(
      "FailedPrecondition",
      `Can't tell what CDI device ${JSON.stringify(name)} is: both "${first.path}" and "${second.path}" define it`,
    );
  }
  return first;
}

/** A broken file may be the one that was to define them. */
function unresolved(missing: readonly string[], files: readonly CdiFile[]): AgentError {
  const faults = files.flatMap((file) => ("fault" in file ? [`"${file.path}" is broken: ${file.fault}`] : []));
  const devices = missing.map((name) => JSON.stringify(name.slice(0, 200))).join(", ");
  const why = faults.length === 0 ? "" : ` (${faults.slice(0, 5).join("; ")})`;
  return new AgentError("NotFound", `Unresolvable CDI devices ${devices}: no CDI spec on this node defines them${why}`);
}

/** The spec with the edits made, those of later devices over those of earlier ones. */
export function applyCdi(spec: OciSpec, { edits, nodes }: ResolvedCdi): OciSpec {
  if (edits.length === 0) return spec;
  const { process, linux } = spec;
  const granted = nodes.map((node): GrantedDevice => {
    return { ...node, uid: node.uid ?? process.user.uid, gid: node.gid ?? process.user.gid };
  });
  const devices = new Map(
    [...(linux.devices ?? []), ...granted.map(({ access: _, ...node }) => node)].map((node) => [node.path, node]),
  );
  const rules = granted.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access }));
  const gids = new Set([
    ...process.user.additionalGids,
    ...edits.flatMap((one) => one.additionalGids).filter((gid) => gid !== 0),
  ]);
  const intelRdt = edits.findLast((one) => one.intelRdt !== undefined)?.intelRdt;
  const hooks = mergedHooks(edits);
  return {
    ...spec,
    process: {
      ...process,
      env: mergedEnv(
        process.env,
        edits.flatMap(({ env }) => env),
      ),
      user: { ...process.user, additionalGids: [...gids] },
    },
    mounts: mergedMounts(spec.mounts, edits),
    ...(Object.keys(hooks).length > 0 && { hooks }),
    linux: {
      ...linux,
      ...(devices.size > 0 && { devices: [...devices.values()] }),
      resources: { ...linux.resources, devices: [...linux.resources.devices, ...rules] },
      ...(intelRdt !== undefined && { intelRdt }),
    },
  };
}

function mergedEnv(before: readonly string[], added: readonly string[]): readonly string[] {
  return [...new Map([...before, ...added].map((entry) => [entry.slice(0, entry.indexOf("=")), entry])).values()];
}

/** A device's mount takes the place of one that was there. Parents come before children. */
function mergedMounts(before: readonly OciMount[], edits: readonly CdiEdits[]): readonly OciMount[] {
  const added = edits
    .flatMap(({ mounts }) => mounts)
    .map(({ hostPath, containerPath, type, options }): OciMount => {
      const bound = type === undefined || type === "bind";
      const named = options.some((option) => option === "bind" || option === "rbind");
      return {
        destination: containerPath,
        type: type ?? "bind",
        source: hostPath,
        options: bound && !named ? ["rbind", ...options] : options,
      };
    });
  const byPlace = new Map([...before, ...added].map((mount) => [mount.destination, mount]));
  const depth = ({ destination }: OciMount) => destination.split("/").length;
  return [...byPlace.values()].toSorted((left, right) => depth(left) - depth(right));
}

function mergedHooks(edits: readonly CdiEdits[]): OciHooks {
  const all = edits.flatMap(({ hooks }) => hooks);
  const byName = Map.groupBy(all, ({ hookName }) => hookName);
  return Object.fromEntries([...byName].map(([name, hooks]) => [name, hooks.map(({ hookName: _, ...hook }) => hook)]));
}
