import { AgentError } from "../common/errors.ts";
import { documentKind } from "./media-types.ts";

/** GOOS and GOARCH names with the CPU variant; an empty variant is the architecture's base. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

/** What the choice looks at in an index's descriptor. */
export interface IndexEntry {
  readonly mediaType: string;
  readonly platform: Platform | undefined;
}

const nodeArchitectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm", ia32: "386" };
const aliases: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
};

/** The platform of this machine. @param arch as `process.arch` */
export function hostPlatform(arch: string): Platform {
  return normalise({ os: "linux", architecture: nodeArchitectures[arch] ?? arch, variant: "" });
}

/**
 * Chooses an index's entry for the machine: same os and architecture, the best variant it can run, the index's order
 * among equals. Entries without a platform come last; their configuration decides then.
 * @throws AgentError NotFound listing what there is
 */
export function choosePlatform<Entry extends IndexEntry>(
  entries: readonly Entry[],
  host: Platform,
  name: string,
): Entry {
  const wanted = normalise(host);
  let best: { readonly entry: Entry; readonly rank: number } | undefined;
  for (const entry of entries) {
    if (documentKind(entry.mediaType) === undefined) continue;
    const rank = entry.platform === undefined ? 1000 : rankOf(normalise(entry.platform), wanted);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { entry, rank };
  }
  if (best !== undefined) return best.entry;
  const offered = [
    ...new Set(entries.flatMap(({ platform }) => (platform === undefined ? [] : [platformText(platform)]))),
  ];
  const message = `No image for platform ${platformText(wanted)} in "${name}": it has ${offered.slice(0, 20).join(", ") || "none"}`;
  throw new AgentError("NotFound", message);
}

/** @throws AgentError NotFound when an image's own configuration is for another machine */
export function checkPlatform(platform: Platform, host: Platform, name: string): void {
  if (rankOf(normalise(platform), normalise(host)) !== undefined) return;
  const message = `Image "${name}" is for platform ${platformText(platform)}: this node runs ${platformText(normalise(host))}`;
  throw new AgentError("NotFound", message);
}

export function platformText({ os, architecture, variant }: Platform): string {
  const text = [os, architecture, variant].filter((part) => part !== "").join("/");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the parts are a registry's and end up in a terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?").slice(0, 60);
}

/** 0 is best; undefined does not run. */
function rankOf(offered: Platform, host: Platform): number | undefined {
  if (offered.os !== host.os || offered.architecture !== host.architecture) return undefined;
  if (offered.variant === host.variant) return 0;
  // A 32-bit ARM core runs what was built for the cores before it.
  const [has, needs] = [armGeneration(host), armGeneration(offered)];
  return has !== undefined && needs !== undefined && needs < has ? has - needs : undefined;
}

function armGeneration({ architecture, variant }: Platform): number | undefined {
  const match = /^v([5-8])$/.exec(variant);
  return architecture === "arm" && match !== null ? Number(match[1]) : undefined;
}

function normalise(platform: Platform): Platform {
  const named = platform.architecture.toLowerCase();
  const architecture = aliases[named] ?? named;
  const variant = platform.variant.toLowerCase();
  const base: Readonly<Record<string, string>> = { amd64: "v1", arm64: "v8" };
  if (base[architecture] === variant) return { os: platform.os.toLowerCase(), architecture, variant: "" };
  const assumed = architecture === "arm" && variant === "" ? "v7" : variant;
  return { os: platform.os.toLowerCase(), architecture, variant: assumed };
}
