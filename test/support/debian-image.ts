import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory, type DebianPackage, packageTars, resolvePackages } from "./debian-package.ts";
import { buildLayer, type Compression, type Layer } from "./oci-image.ts";
import { joinTars, type TarEntry, writeTar } from "./tar-writer.ts";

/** One layer of a Debian image: packages with what they need that no earlier layer has, then further entries. */
export interface DebianLayer {
  readonly packages: readonly string[];
  readonly entries?: readonly TarEntry[];
}

/** Raised when layers are put together differently, so that cached ones are built anew. */
const layoutVersion = 1;

const passwd = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n";
const group = "root:x:0:\nadm:x:4:\nwww-data:x:33:\n";
const nginxConfig = `daemon off;
user www-data;
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 64; }
http {
  access_log /dev/stdout;
  server {
    listen 80;
    listen [::]:80;
    root /var/www;
  }
}
`;
const nginxPage = "<!doctype html><title>Podling</title><p>Served from a pod made of Debian's own packages.</p>\n";

/** What every image starts with: a shell, the core utilities, and the files that Debian's installer would write. */
export const debianBase: DebianLayer = {
  packages: ["base-files", "bash", "coreutils", "dash", "busybox-static"],
  entries: [
    { name: "bin/sh", type: "symlink", target: "dash" },
    { name: "etc/passwd", body: passwd },
    { name: "etc/group", body: group },
    { name: "tmp/", type: "directory", mode: 0o1777 },
  ],
};

/** nginx with a page, in the foreground, logging to its standard output and error. */
export const debianWeb: DebianLayer = {
  packages: ["nginx-light", "wget"],
  entries: [
    { name: "etc/nginx/nginx.conf", body: nginxConfig },
    { name: "var/www/", type: "directory", mode: 0o755 },
    { name: "var/www/index.html", body: nginxPage },
  ],
};

/** A web server small enough for tests. Start it with {@link nginxCommand}. */
export const smallWebImage: readonly DebianLayer[] = [debianBase, debianWeb];

/** What a web application is built from and served with: about 165 MB compressed in five layers. */
export const webApplicationImage: readonly DebianLayer[] = [
  debianBase,
  { packages: ["python3", "python3-numpy"] },
  { packages: ["perl", "git"] },
  { packages: ["gcc", "make"] },
  debianWeb,
];

/** For measurements: ten layers, 180 MB compressed, more than 20,000 files, large ones and small ones. */
export const largeImage: readonly DebianLayer[] = [
  debianBase,
  { packages: ["python3"] },
  { packages: ["python3-numpy"] },
  { packages: ["perl"] },
  { packages: ["git"] },
  { packages: ["binutils"] },
  { packages: ["gcc"] },
  { packages: ["libboost1.74-dev"] },
  { packages: ["sqlite3", "make"] },
  debianWeb,
];

export const nginxCommand: readonly string[] = ["/usr/sbin/nginx"];

/** Builds the layers, or takes them from the cache while the package lists offer the same versions. */
export async function buildDebianLayers(
  plan: readonly DebianLayer[],
  compression: Compression = "gzip",
): Promise<readonly Layer[]> {
  const layers: Layer[] = [];
  for (const { packages, entries } of await resolveLayers(plan)) {
    layers.push(await cachedLayer(packages, entries, compression));
  }
  return layers;
}

/** The same files in one layer, or as many layers as the plan has. */
export async function buildDebianLayersAsOne(
  plan: readonly DebianLayer[],
  compression: Compression = "gzip",
): Promise<Layer> {
  const resolved = await resolveLayers(plan);
  return cachedLayer(
    resolved.flatMap((layer) => layer.packages),
    resolved.flatMap((layer) => layer.entries),
    compression,
  );
}

interface ResolvedLayer {
  readonly packages: readonly DebianPackage[];
  readonly entries: readonly TarEntry[];
}

/** Gives each package to the first layer that needs it. */
async function resolveLayers(plan: readonly DebianLayer[]): Promise<readonly ResolvedLayer[]> {
  const seen = new Set<string>();
  const resolved: ResolvedLayer[] = [];
  for (const [index, layer] of plan.entries()) {
    const names = plan.slice(0, index + 1).flatMap((earlier) => earlier.packages);
    const added = (await resolvePackages(names)).filter((one) => !seen.has(one.name));
    for (const one of added) seen.add(one.name);
    resolved.push({ packages: added, entries: layer.entries ?? [] });
  }
  return resolved;
}

async function cachedLayer(
  packages: readonly DebianPackage[],
  entries: readonly TarEntry[],
  compression: Compression,
): Promise<Layer> {
  const content = JSON.stringify([layoutVersion, packages, entries, compression]);
  const base = join(cacheDirectory, "layers", createHash("sha256").update(content).digest("hex").slice(0, 24));
  if (existsSync(`${base}.json`)) {
    const { mediaType, digest, diffId } = JSON.parse(readFileSync(`${base}.json`, "utf8")) as Layer;
    return { mediaType, digest, diffId, bytes: readFileSync(`${base}.blob`) };
  }
  const tar = joinTars([...(await packageTars(packages)), writeTar(entries)]);
  const layer = await buildLayer(tar, compression);
  mkdirSync(join(cacheDirectory, "layers"), { recursive: true });
  const { bytes, ...names } = layer;
  // The description comes last and at once, so that a half-written layer is never taken for a whole one.
  writeFileSync(`${base}.blob`, bytes);
  writeFileSync(`${base}.${process.pid}`, JSON.stringify(names));
  renameSync(`${base}.${process.pid}`, `${base}.json`);
  return layer;
}
