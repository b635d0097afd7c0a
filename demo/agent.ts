import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { AgentClient, soon } from "../src/cli/agent-client.ts";
import type { VersionResponse__Output } from "../src/generated/runtime/v1/VersionResponse.ts";
import { isAlive, type ProcessIdentity } from "../src/system/process.ts";
import { eventually } from "../test/support/eventually.ts";
import { freeNetwork } from "../test/support/free-network.ts";
import { place, registryName } from "./place.ts";
import { startProcess } from "./processes.ts";

const program = join(import.meta.dirname, "../bin/podling");

/** Writes the agent's configuration, with a network that this machine does not use yet. */
export async function writeConfig(registryHost: string): Promise<void> {
  const { ipv4, ipv6 } = await freeNetwork(60, 88);
  const config = {
    instance: place.name,
    root: place.root,
    state: place.state,
    grpc: { address: place.socket },
    metrics: { address: "127.0.0.1:0" },
    registry: { config_path: place.certs },
    network: {
      vpcs: [{ id: "vpc-demo", cidr: `${ipv4}.0.0/16`, ipv6_cidr: `${ipv6}::/56`, nat_gateway: true }],
      vswitches: [
        { id: "vsw-demo", vpc: "vpc-demo", zone: "local-a", cidr: `${ipv4}.0.0/20`, ipv6_cidr: `${ipv6}::/64` },
      ],
    },
    manifests: { dir: join(place.base, "manifests.d") },
  };
  writeFileSync(place.config, `# Written by the demo.\n${stringify(config)}`);
  const hosts = join(place.certs, registryName);
  mkdirSync(hosts, { recursive: true });
  writeFileSync(join(hosts, "hosts.toml"), `server = "http://${registryHost}"\n`);
}

/** Starts `bin/podling serve` and waits until it answers. */
export async function startAgent(): Promise<ProcessIdentity> {
  mkdirSync(place.podLogs, { recursive: true });
  const started = await startProcess("agent", [program, "serve", "--config", place.config], place.agentLog);
  using client = new AgentClient(place.socket);
  const ready = () => client.ask<VersionResponse__Output>((done) => client.runtime.Version({}, soon(), done));
  let ended = false;
  await eventually(
    "the agent to answer",
    async () => {
      ended = !isAlive(started);
      return ended || (await ready());
    },
    60_000,
  );
  if (ended) throw new Error("The agent ended instead of serving");
  return started;
}

/** The end of what the agent wrote, for a failure's message. */
export function agentLogTail(): string {
  try {
    return readFileSync(place.agentLog, "utf8").trimEnd().split("\n").slice(-10).join("\n");
  } catch {
    return "";
  }
}
