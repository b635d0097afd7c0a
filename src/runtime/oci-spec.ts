/**
 * The part of the OCI runtime spec that Podling writes (opencontainers/runtime-spec config.md and config-linux.md).
 * Whole numbers that may pass 2^53 are bigint; {@link renderOciSpec} writes them digit by digit.
 */
export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly hooks?: OciHooks;
  readonly linux: OciLinux;
}

/** Programs of the host that the runtime runs at points of a container's life, by the point's name. */
export type OciHooks = Readonly<Record<string, readonly OciHook[]>>;

export interface OciHook {
  readonly path: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  /** Seconds. */
  readonly timeout?: number | undefined;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly user: OciUser;
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

/**
 * Inheritable and ambient sets stay empty unless ambient capabilities are asked for: what a process inherits it could
 * pass to programs the user didn't mean.
 */
export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable?: readonly string[];
  readonly ambient?: readonly string[];
}

export interface OciRlimit {
  readonly type: string;
  readonly hard: number;
  readonly soft: number;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciLinux {
  readonly resources: OciResources;
  readonly cgroupsPath: string;
  readonly namespaces: readonly OciNamespace[];
  readonly devices?: readonly OciDevice[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly rootfsPropagation?: "rslave" | "rshared";
  /** Cache and memory bandwidth, as config-linux.md has it. */
  readonly intelRdt?: object;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: OciSeccomp;
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  /** SELinux label of the files the runtime mounts. */
  readonly mountLabel?: string;
}

/** A range of ids of a user namespace. */
export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** config-linux.md, "Seccomp". */
export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly OciSyscallRule[];
}

export interface OciSyscallRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  /** All must hold. */
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}

export interface OciNamespace {
  readonly type: "mount" | "pid" | "network" | "ipc" | "uts" | "cgroup" | "user";
  /** Absent: a new one. */
  readonly path?: string;
}

export interface OciDevice {
  readonly path: string;
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: { readonly limit?: bigint; readonly swap?: bigint };
  readonly cpu?: {
    readonly shares?: bigint;
    readonly quota?: bigint;
    readonly period?: bigint;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: bigint }[];
  readonly unified?: Readonly<Record<string, string>>;
}

/** The version runc 1.1 and crun 1.8 know. */
export const ociVersion = "1.0.2";

// ECMAScript 2026 has it and Node 24 too; TypeScript's library does not name it yet.
const json: typeof JSON & { rawJSON(text: string): object } = JSON as never;

/** The spec as config.json's text, 64-bit numbers exact. */
export function renderOciSpec(spec: object): string {
  return JSON.stringify(spec, (_, value) => (typeof value === "bigint" ? json.rawJSON(value.toString()) : value));
}

/** What {@link renderOciSpec} wrote, numbers that pass 2^53 as bigint again. */
export function parseOciSpec(text: string): OciSpec {
  const exact = (_: string, value: unknown, { source }: { readonly source?: string } = {}) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "")
      ? BigInt(source ?? 0)
      : value;
  return JSON.parse(text, exact as Parameters<typeof JSON.parse>[1]) as OciSpec;
}
