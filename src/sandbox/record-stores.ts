import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import { type ContainerId, parseContainerId, parseSandboxId, type SandboxId } from "../common/ids.ts";
import type { Log } from "../common/log.ts";
import type { Database } from "../state/database.ts";
import { Quarantine } from "../state/quarantine.ts";
import { RecordTable } from "../state/record-table.ts";
import type { ContainerRecord, ContainerState } from "./container-record.ts";
import type { HostLayout } from "./host-paths.ts";
import { RecordMirror } from "./record-mirror.ts";
import { RecordStore } from "./record-store.ts";
import type { SandboxRecord, SandboxState } from "./sandbox-record.ts";

export type SandboxStore = RecordStore<SandboxId, SandboxRecord>;
export type ContainerStore = RecordStore<ContainerId, ContainerRecord>;

const sandboxStates: readonly SandboxState[] = ["creating", "ready", "notReady", "removing"];
const containerStates: readonly ContainerState["kind"][] = [
  "creating",
  "created",
  "starting",
  "running",
  "exited",
  "removing",
];

/** Opens both stores on the agent's records. Rows that don't decode are kept aside, and rebuilt from what the host has. */
export function openStores(
  database: Database,
  layout: HostLayout,
  log: Log,
): { sandboxes: SandboxStore; containers: ContainerStore } {
  const quarantine = new Quarantine(join(layout.root, "quarantine"));
  const keeping = <Stored extends { readonly id: string }>(name: string, decode: (value: unknown) => Stored) => ({
    mirror: new RecordMirror(join(layout.state, name), decode, log),
    quarantine,
    log,
  });
  return {
    sandboxes: new RecordStore(
      "pod sandbox",
      new RecordTable(database, "sandboxes", decodeSandbox),
      keeping("sandboxes", decodeSandbox),
    ),
    containers: new RecordStore(
      "container",
      new RecordTable(database, "containers", decodeContainer),
      keeping("containers", decodeContainer),
    ),
  };
}

/** Checks what everything else relies on: identity, state and the parts look-ups read. */
function decodeSandbox(value: unknown): SandboxRecord {
  const record = value as SandboxRecord;
  parseSandboxId(String(record?.id));
  if (!sandboxStates.includes(record.state)) throw bad("sandbox", record.id, "state");
  if (typeof record.spec?.metadata?.name !== "string") throw bad("sandbox", record.id, "spec.metadata");
  return record;
}

function decodeContainer(value: unknown): ContainerRecord {
  const record = value as ContainerRecord;
  parseContainerId(String(record?.id));
  parseSandboxId(String(record.sandboxId));
  if (!containerStates.includes(record.state?.kind)) throw bad("container", record.id, "state");
  if (typeof record.spec?.metadata?.name !== "string") throw bad("container", record.id, "spec.metadata");
  return record;
}

function bad(kind: string, id: string, field: string): AgentError {
  return new AgentError("DataLoss", `The record of ${kind} "${id}" has no sound ${field}`);
}
