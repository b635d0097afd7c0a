import { randomBytes } from "node:crypto";
import { AgentError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 64 lower-case hex digits, as containerd's ids. */
export type SandboxId = Branded<"SandboxId">;
/** 64 lower-case hex digits, as containerd's ids. */
export type ContainerId = Branded<"ContainerId">;
/** `sha256:` or `sha512:` and lower-case hex; safe as a path component after {@link digestHex}. */
export type Digest = Branded<"Digest">;
/** 1 to 16 characters of `a-z0-9-`, starting with a letter or digit; prefixes all an agent owns on the host. */
export type InstanceName = Branded<"InstanceName">;

const idPattern = /^[0-9a-f]{64}$/;
const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const instancePattern = /^[a-z0-9][a-z0-9-]{0,15}$/;

/** 32 random bytes as hex: a new sandbox or container id. */
export function newId(): string {
  return randomBytes(32).toString("hex");
}

/** @throws AgentError InvalidArgument */
export function parseSandboxId(text: string): SandboxId {
  if (!idPattern.test(text)) throw invalid("sandbox id", text, "64 lower-case hex digits");
  return text as SandboxId;
}

/** @throws AgentError InvalidArgument */
export function parseContainerId(text: string): ContainerId {
  if (!idPattern.test(text)) throw invalid("container id", text, "64 lower-case hex digits");
  return text as ContainerId;
}

/** @throws AgentError InvalidArgument for anything but a canonical sha256 or sha512 digest */
export function parseDigest(text: string): Digest {
  if (!digestPattern.test(text)) throw invalid("digest", text, '"sha256:" and 64 lower-case hex digits');
  return text as Digest;
}

/** The hex part of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** @throws AgentError InvalidArgument */
export function parseInstanceName(text: string): InstanceName {
  if (!instancePattern.test(text)) throw invalid("instance", text, "1 to 16 characters of a-z, 0-9 and -");
  return text as InstanceName;
}

function invalid(what: string, text: string, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${what} ${JSON.stringify(text.slice(0, 200))}: must be ${want}`);
}
