import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../test/support/free-port.ts";
import { Daemon } from "./daemon.ts";
import { cache, place, registryName } from "./place.ts";

/** Starts Debian's docker-registry on loopback and tells both sides of it. @returns "127.0.0.1:PORT" */
export async function startRegistry(): Promise<string> {
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(cache.registry, { recursive: true });
  const config = join(place.base, "registry.json");
  const settings = {
    version: "0.1",
    log: { level: "warn", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: cache.registry } },
    http: { addr: host },
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(settings));
  const daemon = await Daemon.start("registry", ["docker-registry", "serve", config], place.registryLog);
  await daemon.ready(async () => {
    const { status } = await fetch(`http://${host}/v2/`);
    if (status !== 200) throw new Error(`the registry answered ${status}`);
  });
  const hosts = join(place.certs, registryName);
  mkdirSync(hosts, { recursive: true });
  const mirror = `[host."http://${host}"]\n  capabilities = ["pull", "resolve"]\n`;
  writeFileSync(join(hosts, "hosts.toml"), `server = "http://${host}"\n\n${mirror}`);
  return host;
}
