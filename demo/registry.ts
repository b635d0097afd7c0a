import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../src/system/process.ts";
import { buildDebianLayers, nginxCommand, webApplicationImage } from "../test/support/debian-image.ts";
import { eventually } from "../test/support/eventually.ts";
import { freePort } from "../test/support/free-port.ts";
import { buildImage } from "../test/support/oci-image.ts";
import { pushImage } from "../test/support/push-image.ts";
import { imageName, place, registryName } from "./place.ts";
import { startProcess } from "./processes.ts";

/** Starts Debian's docker-registry on loopback. @returns "127.0.0.1:PORT" */
export async function startRegistry(): Promise<string> {
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(place.registry, { recursive: true });
  const config = join(place.registry, "config.json");
  const settings = {
    version: "0.1",
    log: { level: "warn", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(place.registry, "storage") } },
    http: { addr: host },
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(settings));
  const started = await startProcess("registry", ["docker-registry", "serve", config], place.registryLog);
  await eventually(`the registry on ${host}`, async () => {
    if (!isAlive(started)) throw new Error(`docker-registry ended, see ${place.registryLog}`);
    return (await fetch(`http://${host}/v2/`)).status === 200;
  });
  return host;
}

export interface BuiltImage {
  readonly layers: number;
  readonly sizeBytes: number;
}

/** Builds the demo's image from Debian's packages, or takes its layers from the cache, and pushes it. */
export async function buildAndPush(host: string): Promise<BuiltImage> {
  const layers = await buildDebianLayers(webApplicationImage);
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const image = buildImage({ layers, config: { Env: [path], Cmd: nginxCommand, StopSignal: "SIGQUIT" } });
  const [repository = "", tag = ""] = imageName.slice(registryName.length + 1).split(":");
  await pushImage({ host, headers: {} }, repository, tag, image);
  return { layers: layers.length, sizeBytes: layers.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}
