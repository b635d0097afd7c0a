import { AgentError } from "../common/errors.ts";
import { capabilityNames, defaultCapabilities } from "./capability-names.ts";
import type { SecurityContext } from "./container-settings.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciCapabilities } from "./oci-spec.ts";

/** Files that tell a container about the host, or let it disturb the host; containerd's list. */
export const defaultMaskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

/** Kernel switches a container may read; containerd's list. */
export const defaultReadonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/**
 * The capabilities of a container. Order as in containerd: "ALL" added, "ALL" dropped, the named ones added, the named
 * ones dropped; so a name added beside a dropped "ALL" stays.
 * @throws AgentError InvalidArgument for an unknown name, FailedPrecondition for one that this host can't give
 */
export function planCapabilities(security: SecurityContext, facts: HostFacts): OciCapabilities {
  const granted = security.privileged ? facts.capabilities : grantedCapabilities(security, facts);
  const sorted = capabilityNames.filter((name) => granted.has(name));
  const kept = ambientCapabilities(security, granted);
  const ambient = sorted.filter((name) => kept.has(name));
  return {
    bounding: sorted,
    effective: sorted,
    permitted: sorted,
    // The kernel takes as ambient only what is inheritable too (capabilities(7)).
    ...(ambient.length > 0 && { inheritable: ambient, ambient }),
  };
}

/** Of those granted, the ones that stay when another user's program is executed. */
function ambientCapabilities({ capabilities }: SecurityContext, granted: ReadonlySet<string>): ReadonlySet<string> {
  const names = (capabilities.ambient ?? []).map((name) => parseCapability("add_ambient_capabilities", name));
  if (names.includes("ALL")) return granted;
  return new Set(names.filter((name) => granted.has(name)));
}

function grantedCapabilities({ capabilities }: SecurityContext, facts: HostFacts): ReadonlySet<string> {
  // What is to be ambient has to be granted first.
  const add = [
    ...capabilities.add.map((name) => parseCapability("add_capabilities", name)),
    ...(capabilities.ambient ?? []).map((name) => parseCapability("add_ambient_capabilities", name)),
  ];
  const drop = capabilities.drop.map((name) => parseCapability("drop_capabilities", name));
  const granted = new Set(defaultCapabilities.filter((name) => facts.capabilities.has(name)));
  if (add.includes("ALL")) for (const name of facts.capabilities) granted.add(name);
  if (drop.includes("ALL")) granted.clear();
  for (const name of add.filter((added) => added !== "ALL")) granted.add(name);
  for (const name of drop) granted.delete(name);
  const missing = [...granted].find((name) => !facts.capabilities.has(name));
  if (missing !== undefined) {
    throw new AgentError(
      "FailedPrecondition",
      `Can't add capability "${missing}" of add_capabilities or add_ambient_capabilities: the agent runs without it on this host`,
    );
  }
  return granted;
}

/** @returns "ALL" or the name with its prefix, upper case */
function parseCapability(field: string, text: string): string {
  const upper = text.toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if ((capabilityNames as readonly string[]).includes(name)) return name;
  throw new AgentError(
    "InvalidArgument",
    `Unknown capability ${JSON.stringify(text.slice(0, 100))} in ${field}: must be "ALL" or a name such as "CAP_NET_ADMIN"`,
  );
}

/** Which files are hidden and which may only be read. A privileged container sees everything. */
export function planPathMasks(security: SecurityContext): {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
} {
  if (security.privileged) return { maskedPaths: [], readonlyPaths: [] };
  return {
    maskedPaths: checkedPaths("masked_paths", security.maskedPaths ?? defaultMaskedPaths),
    readonlyPaths: checkedPaths("readonly_paths", security.readonlyPaths ?? defaultReadonlyPaths),
  };
}

function checkedPaths(field: string, paths: readonly string[]): readonly string[] {
  const bad = paths.findIndex((path) => !path.startsWith("/") || path.includes("\0"));
  if (bad === -1) return paths;
  throw new AgentError(
    "InvalidArgument",
    `Invalid ${field}[${bad}] ${JSON.stringify(paths[bad]?.slice(0, 200))}: must be an absolute path`,
  );
}
