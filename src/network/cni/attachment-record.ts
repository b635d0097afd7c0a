import { z } from "zod";
import { AgentError } from "../../common/errors.ts";
import type { HostPort } from "../host-port.ts";
import type { PodInterface } from "../pod-network.ts";
import { cniVersions } from "./cni-version.ts";
import type { CniNetwork } from "./network-list.ts";
import type { AttachmentTarget } from "./plan-calls.ts";
import type { CniResult } from "./plugin-result.ts";

/**
 * The durable truth about one pod's attachment. It is written before the first plugin's ADD and goes after the last one's
 * DEL, and holds all that a DEL needs, whatever becomes of the configuration meanwhile.
 * ```
 *             every ADD done                DEL begun (also of an attaching one)
 *  attaching ────────────────► attached ───────────────────────────────────────► record gone
 * ```
 */
export interface AttachmentRecord {
  readonly sandboxId: string;
  readonly namespace: string;
  readonly name: string;
  /** As its ADD was told. */
  readonly network: CniNetwork;
  readonly target: AttachmentTarget;
  /** Ports of the host that lead to it. */
  readonly hostPorts: readonly HostPort[];
  /** Absent: not every ADD is known to have been done. */
  readonly attached?: { readonly result: CniResult; readonly podInterface: PodInterface };
}

const recordSchema = z.looseObject({
  sandboxId: z.string().min(1),
  network: z.looseObject({
    name: z.string().min(1),
    version: z.enum(cniVersions),
    plugins: z.array(z.looseObject({ type: z.string().min(1), capabilities: z.array(z.string()) })),
  }),
  target: z.looseObject({
    containerId: z.string().min(1),
    netnsPath: z.string().min(1),
    interfaceName: z.string().min(1),
    args: z.string(),
    capabilityArgs: z.looseObject({}),
  }),
  hostPorts: z.array(z.looseObject({})),
  attached: z.looseObject({ result: z.looseObject({}), podInterface: z.looseObject({}) }).optional(),
});

/** Checks a stored attachment. @throws AgentError DataLoss */
export function decodeAttachmentRecord(value: unknown): AttachmentRecord {
  const read = recordSchema.safeParse(value);
  if (read.success) return value as AttachmentRecord;
  throw new AgentError("DataLoss", "A stored CNI attachment is not one: a field is missing or of another type", {
    cause: read.error,
  });
}
