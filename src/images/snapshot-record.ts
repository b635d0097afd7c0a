import { z } from "zod";
import { type Digest, parseDigest } from "../common/ids.ts";
import { type SnapshotForm, snapshotForms } from "./snapshot-form.ts";

export interface SnapshotIds {
  readonly chainId: Digest;
  readonly parentChainId: Digest | undefined;
  readonly diffId: Digest;
}

/** One committed layer on its parents. */
export interface Snapshot extends SnapshotIds {
  /** Name of its directory under `<root>/snapshots`: short, for mount(2) takes one page of them. */
  readonly number: number;
  readonly form: SnapshotForm;
  /** What this layer alone takes: bytes of file content ("overlay"), or of the tar and its index ("erofs"). */
  readonly sizeBytes: number;
  /** Files and directories on the node's file system. */
  readonly inodes: number;
  /** Whether nothing of its parents shows through. */
  readonly hidesLower: boolean;
}

const digest = z.string().transform((text) => parseDigest(text));
const schema = z.object({
  chainId: digest,
  parentChainId: digest.optional(),
  diffId: digest,
  number: z.int().positive(),
  // Records of agents that knew no other form have none.
  form: z.enum(snapshotForms).default("overlay"),
  sizeBytes: z.int().nonnegative(),
  inodes: z.int().nonnegative(),
  hidesLower: z.boolean(),
});

/** @throws ZodError or AgentError for a body that is no snapshot */
export function decodeSnapshot(value: unknown): Snapshot {
  const { parentChainId, ...rest } = schema.parse(value);
  return { ...rest, parentChainId };
}
