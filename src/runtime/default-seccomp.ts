import type { OciSeccomp, OciSyscallRule } from "./oci-spec.ts";
import { architectureSyscalls, ordinarySyscalls, privilegedSyscalls, tracingSyscalls } from "./seccomp-syscalls.ts";

const EPERM = 1;
const ENOSYS = 38;
const AF_VSOCK = 40;
/** New namespaces of every kind: CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET (clone(2)). */
const namespaceFlags = 0x7e020000;
/** personality(2): Linux, Linux32, both with UNAME26, and "tell me the current one". */
const harmlessPersonalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** What a filter must know beside the native calling convention: a 64-bit kernel takes 32-bit calls too. */
const conventions: Readonly<Partial<Record<NodeJS.Architecture, readonly string[]>>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  ia32: ["SCMP_ARCH_X86"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
  arm: ["SCMP_ARCH_ARM"],
  ppc64: ["SCMP_ARCH_PPC64LE"],
  riscv64: ["SCMP_ARCH_RISCV64"],
  s390x: ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
};

/**
 * The profile that "RuntimeDefault" means: an allow-list that fits the capabilities a container has and the processor it
 * runs on. Everything else fails with EPERM.
 * @param capabilities the container's bounding set
 * @param kernelRelease such as "6.1.0-13-amd64"
 */
export function defaultSeccomp(
  capabilities: ReadonlySet<string>,
  architecture: NodeJS.Architecture,
  kernelRelease: string,
): OciSeccomp {
  const allowed = new Set([...ordinarySyscalls, ...architectureSyscalls(architecture)]);
  if (isAtLeast(kernelRelease, 4, 8)) for (const name of tracingSyscalls) allowed.add(name);
  for (const [capability, names] of privilegedSyscalls) {
    if (capabilities.has(capability)) for (const name of names) allowed.add(name);
  }
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: conventions[architecture] ?? [],
    syscalls: [
      { names: [...allowed].toSorted(), action: "SCMP_ACT_ALLOW" },
      // A socket to the hypervisor is in no namespace: it would reach the host's own services.
      allowIf("socket", { index: 0, value: AF_VSOCK, op: "SCMP_CMP_NE" }),
      ...harmlessPersonalities.map((value) => allowIf("personality", { index: 0, value, op: "SCMP_CMP_EQ" })),
      ...(capabilities.has("CAP_SYS_ADMIN") ? [] : cloneRules(architecture)),
    ],
  };
}

/**
 * Threads and processes, but no namespaces. The flags of clone3 are in memory, where no filter sees them; with ENOSYS
 * the C library takes clone instead.
 */
function cloneRules(architecture: NodeJS.Architecture): readonly OciSyscallRule[] {
  // s390 has the stack first (clone(2), "C library/kernel differences").
  const index = architecture === "s390x" ? 1 : 0;
  return [
    allowIf("clone", { index, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
  ];
}

function allowIf(name: string, argument: NonNullable<OciSyscallRule["args"]>[number]): OciSyscallRule {
  return { names: [name], action: "SCMP_ACT_ALLOW", args: [argument] };
}

/** Whether a kernel release such as "6.1.0-13-amd64" is this version or a later one. */
export function isAtLeast(release: string, major: number, minor: number): boolean {
  const [, ownMajor, ownMinor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(ownMajor) > major || (Number(ownMajor) === major && Number(ownMinor) >= minor);
}
