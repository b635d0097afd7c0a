import { readFileSync } from "node:fs";
import { runProgram, type ServeOptions } from "./cli/program.ts";
import { defaultConfigPath, loadConfig } from "./config.ts";
import { defaultConfigText } from "./config-default.ts";
import type { Config } from "./config-schema.ts";
import { PinnedReferences } from "./images/pinned-references.ts";
import { parseNetworkConfig } from "./network/vpc-config.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

function readConfig(path: string, options: { readonly mayBeAbsent: boolean }): Config {
  const checks = [
    ({ network }: Config) => void parseNetworkConfig(network),
    ({ images }: Config) => void new PinnedReferences(images.gc.pinned),
  ];
  return loadConfig(path, { ...options, checks });
}

async function serve({ configPath, mayBeAbsent }: ServeOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const config = readConfig(configPath, { mayBeAbsent });
  // Loaded here, for the other commands are done before the agent's parts would be.
  const [{ runAgent }, { endProcess }] = await Promise.all([import("./serve.ts"), import("./system/end-process.ts")]);
  await runAgent(config, version, stop.signal);
  // Connections to shims stay open to the end: closing them one by one would look as if the shims were lost.
  endProcess(0);
}

process.exitCode = await runProgram({ version, defaultConfigPath, defaultConfigText, serve, readConfig }, process.argv);
