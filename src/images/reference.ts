import { AgentError } from "../common/errors.ts";
import { type Digest, parseDigest } from "../common/ids.ts";

/** A fully written image reference; at least one of tag and digest is set. */
export interface ImageReference {
  /** Registry as users name it, such as "docker.io" or "localhost:5000". */
  readonly registry: string;
  /** Path in the registry, such as "library/busybox". */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const maxNameLength = 255;
const maxReferenceLength = 1024;
const domainPart = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const domainPattern = new RegExp(`^(?:${domainPart}(?:\\.${domainPart})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const pathPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads a reference by the grammar of the distribution project and writes out what users leave away: the registry
 * docker.io, its folder library, and the tag latest.
 * @throws AgentError InvalidArgument naming the part that is wrong
 */
export function parseReference(text: string): ImageReference {
  if (text === "" || text.length > maxReferenceLength) throw invalid(text, "1 to 1024 characters are required");
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : referenceDigest(text, text.slice(at + 1));
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagPattern.test(tag)) {
    throw invalid(text, "a tag is 1 to 128 letters, digits, '_', '.' and '-', and does not start with '.' or '-'");
  }
  const { registry, repository } = splitName(hasTag ? named.slice(0, colon) : named);
  checkName(text, registry, repository);
  return { registry, repository, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

/** `registry/repository`, the name both tags and digests hang on. */
export function repositoryName(reference: ImageReference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The canonical text; a digest outranks a tag, as it names the image more exactly. */
export function formatReference(reference: ImageReference): string {
  const name = repositoryName(reference);
  return reference.digest === undefined ? `${name}:${reference.tag}` : `${name}@${reference.digest}`;
}

function splitName(name: string): { readonly registry: string; readonly repository: string } {
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  // A first part that no repository could be called is a registry: with a dot, a port, upper case, or localhost.
  const isRegistry = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const registry = !isRegistry || first === "index.docker.io" ? "docker.io" : first;
  const rest = isRegistry ? name.slice(slash + 1) : name;
  const short = registry === "docker.io" && !rest.includes("/");
  return { registry, repository: short ? `library/${rest}` : rest };
}

function checkName(text: string, registry: string, repository: string): void {
  if (!domainPattern.test(registry))
    throw invalid(text, `the registry "${registry}" must be a host name with an optional port`);
  if (!pathPattern.test(repository)) {
    throw invalid(text, "a repository is lower-case letters and digits, parted by '/', '.', '_', '__' or '-'");
  }
  if (registry.length + 1 + repository.length > maxNameLength)
    throw invalid(text, `the name is longer than ${maxNameLength}`);
  if (/^(?:library\/)?[0-9a-f]{64}$/.test(repository))
    throw invalid(text, "64 hex digits are an image id, not a repository");
}

function referenceDigest(text: string, digest: string): Digest {
  try {
    return parseDigest(digest);
  } catch (cause) {
    throw new AgentError("InvalidArgument", `Invalid image reference ${shown(text)}`, { cause });
  }
}

function invalid(text: string, why: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid image reference ${shown(text)}: ${why}`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
