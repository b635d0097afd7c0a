import { field, malformed, readObject, readText } from "./json-document.ts";

/**
 * ```
 *   pulling ──► record gone, image recorded
 *      │
 *      ├── failed for good or cancelled: rolled back, record gone
 *      └── failed for now: kept ──► record gone with the next pull, the image's removal, the agent's start, or after an hour
 * ```
 * `kept` is the owner of verified layers that wait for the next try.
 */
export interface IngestRecord {
  readonly id: string;
  readonly reference: string;
  readonly state: "pulling" | "kept";
  readonly startedAt: string;
}

/** Checks a record that the disk gave back. @throws AgentError FailedPrecondition */
export function decodeIngestRecord(value: unknown): IngestRecord {
  const what = "ingest record";
  const json = readObject(value, what);
  const state = field(json, "state");
  if (state !== "pulling" && state !== "kept") throw malformed(`${what}, state`, 'must be "pulling" or "kept"');
  return {
    id: readText(json, "id", what),
    reference: readText(json, "reference", what),
    state,
    startedAt: readText(json, "startedAt", what),
  };
}
