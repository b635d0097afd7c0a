import { createHash } from "node:crypto";
import { AgentError } from "../common/errors.ts";
import type { HostPort } from "./host-port.ts";
import type { FixedIp } from "./plan-address-wishes.ts";
import type { PodNetwork } from "./pod-network.ts";

/**
 * ```
 *                 link, rules and addresses up            rules gone, addresses cooling
 *  allocating ──────────────────────────────► attached ──────────────────────────────► releasing ──► record gone
 *       │                                                                                 ▲    link gone
 *       └──────────────── failed and undone ─────────────────────────────────────────────┘
 * ```
 * From `allocating` to the end of `attached` the addresses are used; in `releasing` only the link may still exist.
 * `attached` is never written: it would cost a second commit, and recovery has to look at the kernel in any case.
 */
export type EniState = "allocating" | "attached" | "releasing";

/** The durable truth about one elastic network interface. */
export interface EniRecord {
  /** "eni-" and 20 letters or digits; a sandbox that is attached again gets another. */
  readonly id: string;
  readonly state: EniState;
  readonly sandboxId: string;
  readonly namespace: string;
  readonly name: string;
  readonly netnsPath: string;
  /** Name of the router's end. */
  readonly linkName: string;
  readonly network: PodNetwork;
  /** Present where the next pod of the same key is to get the same addresses. */
  readonly fixed?: FixedIp;
  readonly createdAtMs: number;
  /** Ports of the host that lead to it. */
  readonly hostPorts?: readonly HostPort[];
}

/** What is derived from an ENI's id. */
export interface EniNames {
  readonly id: string;
  readonly linkName: string;
  readonly mac: string;
}

/** The vendor part of a cloud ENI's address. */
const macPrefix = "00:16:3e";
const base32 = "abcdefghijklmnopqrstuvwxyz234567";
const states: readonly unknown[] = ["allocating", "attached", "releasing"] satisfies EniState[];

/**
 * Names of a new ENI.
 * @param nonce makes them differ from those of the sandbox's earlier ENIs, whose links may not be gone yet
 */
export function eniNames(instance: string, sandboxId: string, nonce: string): EniNames {
  const hash = createHash("sha256").update(`${instance}\0${sandboxId}\0${nonce}`).digest();
  const text = base32Text(hash);
  const tail = (hash.subarray(29).toString("hex").match(/../g) ?? []).join(":");
  return {
    id: `eni-${text.slice(0, 20)}`,
    linkName: eniLinkName(`eni-${text.slice(0, 20)}`),
    mac: `${macPrefix}:${tail}`,
  };
}

/** The name of the link of an ENI, which its id tells. */
export function eniLinkName(id: string): string {
  return `eni${id.slice("eni-".length, "eni-".length + 12)}`;
}

/** Ten characters that tell links of different owners apart. */
export function linkSuffix(...parts: readonly string[]): string {
  return base32Text(createHash("sha256").update(parts.join("\0")).digest()).slice(0, 10);
}

/** Checks a stored ENI. @throws AgentError DataLoss */
export function decodeEniRecord(value: unknown): EniRecord {
  const record = value as EniRecord;
  const texts = [record?.id, record?.sandboxId, record?.netnsPath, record?.linkName];
  const network = record?.network;
  const sound =
    texts.every((text) => typeof text === "string" && text !== "") &&
    states.includes(record.state) &&
    typeof network === "object" &&
    [network.vpcId, network.vswitchId, network.mac, network.ipv4, network.ipv4Gateway].every(
      (text) => typeof text === "string" && text !== "",
    );
  if (!sound) throw new AgentError("DataLoss", "A stored ENI is not one: a field is missing or of another type");
  return record;
}

function base32Text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => base32[byte & 31]).join("");
}
