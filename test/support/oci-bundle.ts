import { copyFileSync, mkdirSync, readdirSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A root file system of Debian's static busybox, small enough to be made for each test. */
export function makeBusyboxRootfs(rootfs: string): void {
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync("/usr/bin/busybox", join(rootfs, "bin/busybox"));
  for (const name of [
    "sh",
    "cat",
    "echo",
    "sleep",
    "seq",
    "head",
    "yes",
    "dd",
    "true",
    "kill",
    "ls",
    "test",
    "setsid",
    "id",
    "stty",
  ]) {
    symlinkSync("busybox", join(rootfs, "bin", name));
  }
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
}

export interface BundleOptions {
  readonly args: readonly string[];
  /** Sandbox that the shim groups by. */
  readonly group: string;
  readonly cgroupsPath: string;
  readonly terminal?: boolean;
}

/** A container's directory: config.json of the least that a runtime needs, and a rootfs. */
export function makeBundle(bundle: string, options: BundleOptions): void {
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  makeBusyboxRootfs(join(bundle, "rootfs"));
  writeFileSync(join(bundle, "config.json"), JSON.stringify(minimalSpec(options)));
}

/** The directory of a pod's shim: its config.json only says how to group. */
export function makeSandboxBundle(bundle: string, group: string): void {
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  writeFileSync(join(bundle, "config.json"), JSON.stringify({ ociVersion: "1.0.2", annotations: grouping(group) }));
}

export function processSpec(args: readonly string[], terminal = false): object {
  const capabilities = ["CAP_KILL", "CAP_SETUID", "CAP_SETGID"];
  return {
    terminal,
    user: { uid: 0, gid: 0 },
    args,
    env: ["PATH=/bin", "TERM=xterm"],
    cwd: "/",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: true,
  };
}

/** Removes cgroups that runtimes leave behind for their tests: the leaves first, then the parent. */
export function removeCgroups(path: string): void {
  for (const controller of readdirSync("/sys/fs/cgroup")) {
    const directory = join("/sys/fs/cgroup", controller, path);
    try {
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        if (entry.isDirectory()) rmdirSync(join(directory, entry.name));
      }
      rmdirSync(directory);
    } catch {
      // Not there, or not empty because something still runs; the test that looks for leaks tells.
    }
  }
}

function minimalSpec(options: BundleOptions): object {
  return {
    ociVersion: "1.0.2",
    process: processSpec(options.args, options.terminal),
    root: { path: "rootfs" },
    hostname: "test",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
    ],
    annotations: grouping(options.group),
    linux: {
      cgroupsPath: options.cgroupsPath,
      namespaces: ["pid", "mount", "uts", "ipc", "network"].map((type) => ({ type })),
      resources: {},
    },
  };
}

function grouping(group: string): object {
  return { "io.kubernetes.cri.sandbox-id": group, "io.kubernetes.cri.container-type": "container" };
}
