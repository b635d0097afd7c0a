import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { output, outputBytes } from "./command.ts";

/** Downloads and built layers that later runs use again. */
export const cacheDirectory = join(import.meta.dirname, "../../.cache");

/** A package as the machine's package lists offer it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** The packages and all they depend on, as an empty system would need them, in the order of installation. */
export async function resolvePackages(names: readonly string[]): Promise<readonly DebianPackage[]> {
  const options = ["-o", "Dir::State::status=/dev/null", "-o", "APT::Sandbox::User=root", "--no-install-recommends"];
  const plan = await output(["apt-get", "-q", "-s", ...options, "install", ...names], { env: { LC_ALL: "C" } });
  return plan.split("\n").flatMap((line) => {
    // Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) []
    const match = /^Inst (\S+) \((\S+) .*\[(\w+)\]\)/.exec(line);
    return match === null ? [] : [{ name: match[1] ?? "", version: match[2] ?? "", architecture: match[3] ?? "" }];
  });
}

/** The packages' files, as uncompressed tars in the packages' order. Downloaded archives are kept. */
export async function packageTars(packages: readonly DebianPackage[]): Promise<readonly Buffer[]> {
  const directory = join(cacheDirectory, "debs");
  mkdirSync(directory, { recursive: true });
  const missing = packages.filter((one) => !existsSync(archivePath(one)));
  if (missing.length > 0) {
    const wanted = missing.map((one) => `${one.name}=${one.version}`);
    await output(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", ...wanted], {
      cwd: directory,
      timeoutMs: 600_000,
    });
  }
  const tars: Buffer[] = [];
  for (const one of packages) tars.push(await outputBytes(["dpkg-deb", "--fsys-tarfile", archivePath(one)]));
  return tars;
}

function archivePath(one: DebianPackage): string {
  const version = one.version.replaceAll(":", "%3a");
  return join(cacheDirectory, "debs", `${one.name}_${version}_${one.architecture}.deb`);
}
