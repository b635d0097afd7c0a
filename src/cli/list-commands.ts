import type { Image__Output } from "../generated/runtime/v1/Image.ts";
import type { ListImagesResponse__Output } from "../generated/runtime/v1/ListImagesResponse.ts";
import type { ListPodSandboxResponse__Output } from "../generated/runtime/v1/ListPodSandboxResponse.ts";
import type { PodSandbox__Output } from "../generated/runtime/v1/PodSandbox.ts";
import type { PodSandboxStatusResponse__Output } from "../generated/runtime/v1/PodSandboxStatusResponse.ts";
import { type AgentClient, soon } from "./agent-client.ts";
import { type Columns, durationText, sizeText } from "./output.ts";

/** An image, as `podling images -o json` prints it. */
export interface ImageRow {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  readonly pinned: boolean;
}

/** A pod, as `podling pods -o json` prints it. */
export interface PodRow {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: "ready" | "notReady";
  readonly handler: string;
  readonly addresses: readonly string[];
  readonly createdAt: string;
}

/** The agent's images, by name. @throws AgentError */
export async function listImages(client: AgentClient): Promise<readonly ImageRow[]> {
  const { images } = await client.ask<ListImagesResponse__Output>((done) => client.images.ListImages({}, soon(), done));
  return images.map(imageRow).sort((a, b) => compare(a.tags[0] ?? a.id, b.tags[0] ?? b.id));
}

export const imageColumns: Columns<ImageRow> = [
  ["IMAGE", ({ tags, digests }) => tags[0] ?? digests[0] ?? "<none>"],
  ["ID", ({ id }) => id.slice(id.indexOf(":") + 1).slice(0, 13)],
  ["SIZE", ({ sizeBytes }) => sizeText(sizeBytes)],
];

/** The agent's pods with their addresses, by namespace and name. @throws AgentError */
export async function listPods(client: AgentClient): Promise<readonly PodRow[]> {
  const { items } = await client.ask<ListPodSandboxResponse__Output>((done) =>
    client.runtime.ListPodSandbox({}, soon(), done),
  );
  const rows = await Promise.all(items.map(async (pod) => podRow(pod, await addressesOf(client, pod.id))));
  return rows.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name) || a.attempt - b.attempt);
}

/** @param nowMs for the age */
export function podColumns(nowMs: number): Columns<PodRow> {
  return [
    ["POD", ({ id }) => id.slice(0, 13)],
    ["NAMESPACE", ({ namespace }) => namespace],
    ["NAME", ({ name }) => name],
    ["STATE", ({ state }) => (state === "ready" ? "Ready" : "NotReady")],
    ["AGE", ({ createdAt }) => durationText(Math.max(0, nowMs - Date.parse(createdAt)))],
    ["ADDRESSES", ({ addresses }) => addresses.join(" ")],
  ];
}

/** Empty for a pod that went away since it was listed. */
async function addressesOf(client: AgentClient, id: string): Promise<readonly string[]> {
  try {
    const { status } = await client.ask<PodSandboxStatusResponse__Output>((done) =>
      client.runtime.PodSandboxStatus({ pod_sandbox_id: id }, soon(), done),
    );
    const network = status?.network;
    if (network === null || network === undefined) return [];
    return [network.ip, ...network.additional_ips.map(({ ip }) => ip)].filter((address) => address !== "");
  } catch {
    return [];
  }
}

function imageRow(image: Image__Output): ImageRow {
  return {
    id: image.id,
    tags: image.repo_tags,
    digests: image.repo_digests,
    sizeBytes: Number(image.size),
    pinned: image.pinned,
  };
}

function podRow(pod: PodSandbox__Output, addresses: readonly string[]): PodRow {
  return {
    id: pod.id,
    namespace: pod.metadata?.namespace ?? "",
    name: pod.metadata?.name ?? "",
    attempt: pod.metadata?.attempt ?? 0,
    state: pod.state === "SANDBOX_READY" ? "ready" : "notReady",
    handler: pod.runtime_handler,
    addresses,
    createdAt: new Date(Number(BigInt(pod.created_at) / 1_000_000n)).toISOString(),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
