import { rmdirSync } from "node:fs";
import { unmount } from "../../src/system/mount.ts";
import { listPids, readCommandLine } from "../../src/system/process.ts";
import { output, runCommand } from "./command.ts";
import { eventually } from "./eventually.ts";
import {
  hostLinks,
  type InstancePlace,
  instanceCgroups,
  instanceMounts,
  instanceProcesses,
  networkPins,
  nftTables,
} from "./instance-objects.ts";
import { forgetInstance } from "./test-instance.ts";

/**
 * Takes everything of an instance off the host by force: agent, shims, containers, mounts, namespaces, links, tables,
 * cgroups, directories. For what a failed or killed test left behind; a passing one leaves nothing for it to do.
 */
export async function sweepInstance(place: InstancePlace): Promise<void> {
  await killProcesses(place);
  for (const target of instanceMounts(place).toReversed()) await unmount(target);
  for (const pin of networkPins(place.name)) await runCommand(["ip", "netns", "delete", pin]);
  // Links go with their namespace; what is left has both ends outside.
  for (const link of await hostLinks(place.name)) await runCommand(["ip", "link", "delete", link]);
  for (const { family, name } of await nftTables(place.name)) await output(["nft", "delete", "table", family, name]);
  for (const { directory } of instanceCgroups(place.name).toReversed()) {
    await eventually(`the cgroup ${directory} to be empty`, () => removeDirectory(directory));
  }
  forgetInstance(place.name);
}

async function killProcesses(place: InstancePlace): Promise<void> {
  await eventually(`the processes of ${place.name} to end`, () => {
    const found = [...agentPids(place), ...instanceProcesses(place.name).map(({ pid }) => pid)];
    for (const pid of found) kill(pid);
    return found.length === 0;
  });
}

/** Agents and registries that were started with a file of the instance. */
function agentPids(place: InstancePlace): readonly number[] {
  return listPids().filter((pid) => {
    const argv = readCommandLine(pid);
    return pid !== process.pid && argv.slice(1).some((word) => word.includes(`/podling-test/${place.name}/`));
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone already
  }
}

function removeDirectory(directory: string): boolean {
  try {
    rmdirSync(directory);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
  return true;
}
