import type { OciDevice, OciDeviceRule } from "./oci-spec.ts";

/** A device node for a container, and what it may do with it: letters of "rwm". */
export interface GrantedDevice extends OciDevice {
  readonly access: string;
}

/** The nodes every container has (config-linux.md, "Default Devices"), and its terminals. */
const standardDevices: readonly OciDeviceRule[] = [
  { allow: false, access: "rwm" },
  ...(
    [
      [1, 3],
      [1, 8],
      [1, 7],
      [5, 0],
      [1, 5],
      [1, 9],
      [5, 1],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: "c", major, minor, access: "rwm" }) as const),
  { allow: true, type: "c", major: 136, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
];

/**
 * The nodes to make in a container's /dev and the rules of its device cgroup, which the runtime turns into a program on
 * cgroup v2. A privileged container has the host's nodes and no rules; what it asks for beside them it gets as well.
 * @param granted a later node at the same place wins
 */
export function planDevices(
  privileged: boolean,
  hostDevices: readonly OciDevice[],
  granted: readonly GrantedDevice[],
): { readonly nodes: readonly OciDevice[]; readonly rules: readonly OciDeviceRule[] } {
  const nodes = granted.map(({ access: _, ...node }) => node);
  const all = [...(privileged ? hostDevices : []), ...nodes];
  const byPath = new Map(all.map((node) => [node.path, node]));
  if (privileged) return { nodes: [...byPath.values()], rules: [{ allow: true, access: "rwm" }] };
  const rules = granted.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access }));
  return { nodes: [...byPath.values()], rules: [...standardDevices, ...rules] };
}
