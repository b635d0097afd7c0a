import { accessSync, constants, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { sizeText } from "../src/cli/output.ts";
import { parseCgroupMounts } from "../src/system/cgroup.ts";
import { output } from "../test/support/command.ts";
import type { Snapshotter } from "./settings.ts";
import type { Sides } from "./side.ts";

/** What the figures depend on, name to value, in the order to be shown. */
export type MachineFacts = ReadonlyMap<string, string>;

/** @param storage what both sides unpack to */
export async function readMachine(sides: Sides, storage: string, snapshotter: Snapshotter): Promise<MachineFacts> {
  const versions = await Promise.all(sides.map(({ client }) => client.call("Version", {})));
  const [ours, theirs] = versions.map(({ runtime_name, runtime_version }) => `${runtime_name} ${runtime_version}`);
  const firstLine = async (...argv: readonly string[]) => (await output(argv)).trim().split("\n")[0] ?? "";
  const inflaters = ["unpigz", "igzip"].filter(isInstalled);
  return new Map([
    ["compared", `${ours} (Node ${process.version}) with ${theirs} and its defaults`],
    ["runtimes", `${await firstLine("runc", "--version")}; ${await firstLine("crun", "--version")}`],
    ["shim", `${await shimVersion()}, the same program on both sides`],
    ["registry", await firstLine("docker-registry", "--version")],
    ["processor", `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown"}`],
    ["memory", sizeText(totalmem())],
    ["kernel", `${release()}, cgroup ${cgroupText()}`],
    ["storage", storage],
    ["snapshotters", `podling: ${snapshotter}; containerd: overlayfs`],
    ["durability", "podling syncs the file system before an image counts as pulled; containerd never syncs it"],
    ["network", "podling: routed veth, IPv4 and IPv6, anti-spoofing, NAT; containerd: CNI ptp, IPv4 only, no NAT"],
    ["inflaters", inflaters.length === 0 ? "none that containerd would start" : `containerd starts ${inflaters[0]}`],
    ["load", `${loadavg()[0]?.toFixed(2) ?? "unknown"} when the run began`],
  ]);
}

async function shimVersion(): Promise<string> {
  const text = await output(["containerd-shim-runc-v2", "-v"]);
  return `containerd-shim-runc-v2 ${/Version:\s*(\S+)/.exec(text)?.[1] ?? "of an unknown version"}`;
}

function cgroupText(): string {
  const mounts = parseCgroupMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  const hasV1 = mounts.some(({ version }) => version === 1);
  if (!hasV1) return "v2";
  return mounts.some(({ version }) => version === 2) ? "v1 (v2 beside it is hidden from both)" : "v1";
}

function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
