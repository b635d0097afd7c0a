import { hostname } from "node:os";
import { AgentError } from "../common/errors.ts";
import type { SandboxId } from "../common/ids.ts";
import type { PodImageCache } from "../images/caches/pod-image-cache.ts";
import { pickLevel, type SelinuxContexts } from "../runtime/selinux-label.ts";
import { refuseSelinuxOptions } from "../runtime/spec-confinement.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { SandboxMetadata, SandboxSpec } from "./sandbox-spec.ts";

/** What the planner must know of the node. */
export interface SandboxFacts {
  readonly id: SandboxId;
  readonly createdAtMs: number;
  readonly bootId: string;
  readonly handlers: readonly string[];
  readonly defaultHandler: string;
  /** Handlers whose pods can have a user namespace. */
  readonly userNamespaces: ReadonlySet<string>;
  /** The image cache that its annotations ask for. */
  readonly imageCache?: PodImageCache | undefined;
  /** Absent: the host has no SELinux. */
  readonly selinux?: { readonly contexts: SelinuxContexts; readonly takenLevels: ReadonlySet<string> };
}

/**
 * The intent record of a new sandbox.
 * @throws AgentError InvalidArgument for a handler that isn't configured, FailedPrecondition for what the host lacks
 */
export function planSandbox(spec: SandboxSpec, facts: SandboxFacts): SandboxRecord {
  const { selinux } = facts;
  const handler = chooseHandler(spec.runtimeHandler, facts);
  if (spec.namespaces.user !== undefined && !facts.userNamespaces.has(handler)) {
    throw new AgentError(
      "FailedPrecondition",
      `Can't give the pod a user namespace: runtime handler "${handler}" and this host's file system and kernel must be able to`,
    );
  }
  refuseSelinuxOptions(spec.selinux, { selinux: selinux?.contexts });
  const selinuxLevel = selinux && (spec.selinux?.level || pickLevel(selinux.contexts, facts.id, selinux.takenLevels));
  return {
    id: facts.id,
    state: "creating",
    spec,
    handler,
    createdAtMs: facts.createdAtMs,
    bootId: facts.bootId,
    network: undefined,
    message: "",
    ...(selinuxLevel !== undefined && { selinuxLevel }),
    ...(facts.imageCache !== undefined && { imageCache: facts.imageCache }),
  };
}

/** The configured handler a request means; empty means the default one. */
export function chooseHandler(
  asked: string,
  facts: { readonly handlers: readonly string[]; readonly defaultHandler: string },
): string {
  const handler = asked === "" ? facts.defaultHandler : asked;
  if (facts.handlers.includes(handler)) return handler;
  throw new AgentError(
    "InvalidArgument",
    `Invalid runtime_handler ${JSON.stringify(asked)}: no such handler is configured, must be one of ${facts.handlers.join(", ")}`,
  );
}

/** What is unique among live sandboxes. */
export function sandboxNameKey(metadata: SandboxMetadata): string {
  return JSON.stringify([metadata.namespace, metadata.name, metadata.uid, metadata.attempt]);
}

/** The hostname the pod sees: what was asked for, else the host's in its network, else the id as crictl prints it. */
export function podHostname({ id, spec }: Pick<SandboxRecord, "id" | "spec">): string {
  if (spec.hostname !== "") return spec.hostname;
  return spec.namespaces.network === "node" ? hostname() : id.slice(0, 13);
}

/**
 * What a request for a name that is taken means: a retry of the same request is given the same sandbox, anything else
 * is refused.
 * @returns the sandbox a retry gets, or undefined when the name is free
 * @throws AgentError AlreadyExists
 */
export function joinExistingSandbox(spec: SandboxSpec, records: readonly SandboxRecord[]): SandboxRecord | undefined {
  const key = sandboxNameKey(spec.metadata);
  const existing = records.find((record) => sandboxNameKey(record.spec.metadata) === key);
  if (existing === undefined) return undefined;
  if (existing.state === "ready" && sameRequest(existing.spec, spec)) return existing;
  const { namespace, name, uid, attempt } = spec.metadata;
  throw new AgentError(
    "AlreadyExists",
    `Pod sandbox name "${name}" in namespace "${namespace}" (uid "${uid}", attempt ${attempt}) is taken by ` +
      `${existing.state === "ready" ? "a sandbox of another configuration" : "a sandbox that is not ready"}, "${existing.id}": ` +
      "remove that one, or ask with another attempt",
  );
}

/** Whether two decoded requests ask for the same; both are plain JSON data made by one decoder, key order included. */
export function sameRequest(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
