import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import type { TestInstance } from "./test-instance.ts";

export interface AgentSettings {
  /** Host names of image references and the registry ("127.0.0.1:PORT") that answers for each, over plain HTTP. */
  readonly mirrors?: Readonly<Record<string, string>>;
  /** Shims launched ahead; 0 unless a test is about them. */
  readonly warmShims?: number;
  /** Tables laid over the ones below, by top-level key. */
  readonly overrides?: Readonly<Record<string, object | string>>;
  /** The table `network`, made of the ranges that nobody else on the machine uses. */
  readonly network?: (instance: TestInstance) => object;
}

/** crun 1.8 refuses a machine that has both cgroup versions mounted; the wrapper hides the second from it. */
export const crunProgram = join(import.meta.dirname, "crun-hybrid.sh");

/** Writes an agent's configuration and certs.d. @returns the configuration file's path */
export function writeAgentConfig(instance: TestInstance, settings: AgentSettings): string {
  const certs = join(instance.scratch, "certs.d");
  for (const [host, registry] of Object.entries(settings.mirrors ?? {})) writeMirror(certs, host, registry);
  mkdirSync(certs, { recursive: true });
  const shim = "containerd-shim-runc-v2";
  const config = {
    instance: instance.name,
    root: instance.root,
    state: instance.state,
    grpc: { address: join(instance.state, "podling.sock") },
    metrics: { address: "127.0.0.1:0" },
    runtime: {
      default_handler: "runc",
      // They come and go by themselves, which the leak check can't tell from a leak: tests of them ask for them.
      warm_shims: settings.warmShims ?? 0,
      handlers: { runc: { shim, binary: "runc" }, crun: { shim, binary: crunProgram } },
    },
    registry: { config_path: certs },
    network: {
      vpcs: [{ id: "vpc-default", cidr: instance.cidr, ipv6_cidr: instance.ipv6Cidr, nat_gateway: true }],
      vswitches: [
        {
          id: "vsw-default",
          vpc: "vpc-default",
          zone: "local-a",
          cidr: instance.vswitchCidr,
          ipv6_cidr: instance.vswitchIpv6Cidr,
        },
      ],
    },
    // For a run of all tests with the one that "auto" does not choose here.
    images: { snapshotter: process.env["PODLING_TEST_SNAPSHOTTER"] ?? "auto" },
    manifests: { dir: join(instance.scratch, "manifests.d") },
    ...(settings.network && { network: settings.network(instance) }),
    ...settings.overrides,
  };
  const path = join(instance.scratch, "config.toml");
  writeFileSync(path, stringify(config));
  return path;
}

function writeMirror(certs: string, host: string, registry: string): void {
  const directory = join(certs, host);
  mkdirSync(directory, { recursive: true });
  const mirror = `[host."http://${registry}"]\n  capabilities = ["pull", "resolve"]\n`;
  writeFileSync(join(directory, "hosts.toml"), `server = "http://${registry}"\n\n${mirror}`);
}
