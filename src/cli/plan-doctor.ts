import type { HostFacts } from "./doctor-facts.ts";

/** The part of a configuration that says what this machine must have. */
export interface DoctorSubject {
  /** The agent's root directory. */
  readonly root: string;
  readonly images: { readonly snapshotter: "auto" | "overlay" | "erofs" };
  readonly network: {
    readonly provider: "local-vpc" | "cni";
    readonly cni: { readonly confDir: string; readonly binDirs: readonly string[] };
  };
  readonly runtime: {
    readonly defaultHandler: string;
    readonly handlers: ReadonlyArray<{ readonly name: string; readonly shim: string; readonly binary: string }>;
  };
}

export interface Finding {
  readonly check: string;
  /** "missing": nothing works without it. "reduced": something listed in `lost` does not. */
  readonly state: "ok" | "missing" | "reduced";
  readonly found: string;
  /** What does not work; empty when all does. */
  readonly lost: string;
}

/** Capabilities an agent and its shims use, by number (linux/capability.h). */
const neededCapabilities: Readonly<Record<string, bigint>> = {
  CHOWN: 0n,
  DAC_OVERRIDE: 1n,
  FOWNER: 3n,
  KILL: 5n,
  SETGID: 6n,
  SETUID: 7n,
  SETPCAP: 8n,
  NET_ADMIN: 12n,
  SYS_CHROOT: 18n,
  SYS_ADMIN: 21n,
  MKNOD: 27n,
  SETFCAP: 31n,
};
const sysResource = 24n;

/** Programs whose place the plan wants to know. */
export function programsOf({ runtime }: DoctorSubject): readonly string[] {
  return [...new Set(runtime.handlers.flatMap(({ shim, binary }) => [shim, binary]).filter((name) => name !== ""))];
}

/** Everything that was looked at, what is lacking and what that costs. */
export function planFindings(facts: HostFacts, subject: DoctorSubject): readonly Finding[] {
  return [
    ...softwareFindings(facts),
    ...subject.runtime.handlers.map((handler) => handlerFinding(facts, handler, subject.runtime.defaultHandler)),
    ...kernelFindings(facts),
    ...snapshotterFindings(facts, subject.images.snapshotter),
    ...cgroupFindings(facts),
    ...capabilityFindings(facts),
    ...(subject.network.provider === "cni" ? cniFindings(facts, subject.network.cni) : []),
    recordsFinding(facts),
  ];
}

function cniFindings({ cniNetworks, cniPlugins }: HostFacts, { confDir, binDirs }: DoctorSubject["network"]["cni"]) {
  const network = cniNetworks[0];
  const lost = "no pod gets a network (docs/cni.md)";
  const places = binDirs.join(", ");
  return [
    finding("CNI network", network !== undefined, network ?? `none in ${confDir}`, lost),
    finding("CNI plugins", cniPlugins.length > 0, `${cniPlugins.length || "none"} in ${places}`, lost),
  ];
}

function recordsFinding({ quarantined }: HostFacts): Finding {
  const found = quarantined.length === 0 ? "none set aside" : quarantined.join(", ");
  const lost = "what could not be rebuilt is not listed, and all that it has stays (docs/recovery.md)";
  return finding("unreadable records", quarantined.length === 0, found, lost, false);
}

function softwareFindings(facts: HostFacts): readonly Finding[] {
  const node = Number(facts.nodeVersion.split(".")[0]) >= 24;
  const { nftablesLibrary: library, isalLibrary: isal } = facts;
  return [
    finding("Node.js 24", node, facts.nodeVersion, "the agent does not start"),
    finding("nftables library", library, library ? "libnftables.so.1" : "not found", "no pod gets a network"),
    finding("ISA-L", isal, isal ? "libisal.so.2" : "not found", "gzip layers take half as much time again", false),
  ];
}

function handlerFinding(
  facts: HostFacts,
  handler: DoctorSubject["runtime"]["handlers"][number],
  defaultHandler: string,
): Finding {
  const names = [handler.shim, handler.binary].filter((name) => name !== "");
  const absent = names.filter((name) => !facts.programs.has(name));
  const found =
    absent.length === 0
      ? names.map((name) => facts.programs.get(name)).join(", ")
      : absent.map((name) => `no ${name}`).join(", ");
  const isDefault = handler.name === defaultHandler;
  const lost = isDefault
    ? "no pod starts that names no other handler"
    : `no pod with the handler ${handler.name} starts`;
  return finding(`handler ${handler.name}`, absent.length === 0, found, lost, isDefault);
}

function kernelFindings(facts: HostFacts): readonly Finding[] {
  // openat2 came with Linux 5.6 (man openat2(2)).
  const recent = isKernel(facts.kernel, 5, 6);
  const overlay = facts.filesystems.has("overlay");
  const { ipv6 } = facts;
  return [
    finding("kernel 5.6", recent, facts.kernel, "images cannot be unpacked safely: there is no openat2"),
    finding(
      "overlay",
      overlay,
      overlay ? "in the kernel" : "not in the kernel",
      "no container gets a root file system",
    ),
    finding("IPv6", ipv6, ipv6 ? "on" : "off", "pods get no IPv6 address", false),
  ];
}

function snapshotterFindings(
  { kernel, filesystems }: HostFacts,
  wanted: DoctorSubject["images"]["snapshotter"],
): readonly Finding[] {
  if (wanted === "overlay") return [];
  const built = filesystems.has("erofs");
  // Mounts from plain files came with Linux 6.12.
  const ok = built && isKernel(kernel, 6, 12);
  const found = built ? `in the kernel ${kernel}` : "not in the kernel";
  return wanted === "erofs"
    ? [finding("EROFS from files", ok, found, 'the agent does not start: images.snapshotter is "erofs"')]
    : [
        finding(
          "EROFS from files",
          ok,
          found,
          'images.snapshotter "erofs" does not work: layers are kept as files',
          false,
        ),
      ];
}

function isKernel(release: string, wantMajor: number, wantMinor: number): boolean {
  const [major = 0, minor = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}

function cgroupFindings({ cgroupVersion, cgroupControllers }: HostFacts): readonly Finding[] {
  const mounted = cgroupVersion !== undefined;
  const found = mounted ? `version ${cgroupVersion}` : "not mounted";
  const lacking = ["cpu", "memory", "pids"].filter((name) => !cgroupControllers.has(name));
  return [
    finding("cgroups", mounted, found, "no container starts"),
    finding(
      "cgroup limits",
      lacking.length === 0,
      lacking.length === 0 ? "cpu, memory, pids" : `no ${lacking.join(", ")}`,
      `no limits of ${lacking.join(", ")}`,
      false,
    ),
  ];
}

function capabilityFindings({ capabilities }: HostFacts): readonly Finding[] {
  const lacking = Object.entries(neededCapabilities).flatMap(([name, bit]) =>
    (capabilities >> bit) & 1n ? [] : [`CAP_${name}`],
  );
  const found = lacking.length === 0 ? "all that are needed" : `no ${lacking.join(", ")}`;
  const resource = ((capabilities >> sysResource) & 1n) === 1n;
  return [
    finding("capabilities", lacking.length === 0, found, "the agent must run as root with these"),
    finding(
      "CAP_SYS_RESOURCE",
      resource,
      resource ? "yes" : "no",
      "no container gets limits above this process's own, or a lower oom_score_adj",
      false,
    ),
  ];
}

function finding(check: string, ok: boolean, found: string, lost: string, required = true): Finding {
  return { check, state: ok ? "ok" : required ? "missing" : "reduced", found, lost: ok ? "" : lost };
}
