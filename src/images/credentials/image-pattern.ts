import type { ImageReference } from "../reference.ts";

/** Which images credentials are for, as kubelet's `matchImages` and the keys of a docker config say it. */
export interface ImagePattern {
  /** One for each part of the host between dots. */
  readonly hostLabels: readonly RegExp[];
  /** "" where none is written. */
  readonly port: string;
  /** "" or such as "/team/app". */
  readonly path: string;
}

const dockerHub = "docker.io";
const dockerHubHosts: ReadonlySet<string> = new Set([dockerHub, "index.docker.io", "registry-1.docker.io"]);

/**
 * Reads a pattern: a host in which each `*` stands for text without a dot, and perhaps a port and a path. Schemes, and the path
 * "/v1/" or "/v2/" that docker config files write behind hosts, are dropped.
 * @returns undefined for what is none
 */
export function parseImagePattern(text: string): ImagePattern | undefined {
  const bare = text.replace(/^https?:\/\//i, "");
  const match = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.*_-]+)(?::(\d{1,5}))?(\/[\w./-]*)?$/.exec(bare);
  if (match === null) return undefined;
  const [, host = "", port = "", rest = ""] = match;
  const path = rest.replace(/^\/v[12]\/?$/, "").replace(/\/+$/, "");
  return { hostLabels: splitHost(hubName(host)).map(labelExpression), port, path };
}

/** Whether the pattern is for the image: as many host parts, the same port, and a path that begins the image's. */
export function matchesImage({ hostLabels, port, path }: ImagePattern, reference: ImageReference): boolean {
  const address = splitAddress(reference.registry);
  const labels = splitHost(address.host);
  if (address.port !== port || labels.length !== hostLabels.length) return false;
  if (!hostLabels.every((expression, index) => expression.test(labels[index] ?? ""))) return false;
  return path === "" || `/${reference.repository}/`.startsWith(`${path}/`);
}

/** The image's registry as docker's own tools name it to helpers. */
export function serverUrl({ registry }: ImageReference): string {
  return dockerHubHosts.has(registry) ? "https://index.docker.io/v1/" : registry;
}

function splitAddress(registry: string): { readonly host: string; readonly port: string } {
  const [, host = registry, port = ""] = /^(.*?)(?::(\d+))?$/.exec(registry.replace(/^\[([^\]]*)\]$/, "[$1]")) ?? [];
  return { host: hubName(host), port };
}

function hubName(host: string): string {
  return dockerHubHosts.has(host.toLowerCase()) ? dockerHub : host.toLowerCase();
}

function splitHost(host: string): readonly string[] {
  return host.startsWith("[") ? [host] : host.split(".");
}

function labelExpression(label: string): RegExp {
  const parts = label.split(/\*+/).map((part) => part.replace(/[[\]:]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^.]*")}$`);
}
