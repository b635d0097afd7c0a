import type { SandboxId } from "../common/ids.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { EventFanOut } from "./event-fan-out.ts";
import { type EventKind, planContainerEvents, planSandboxEvents } from "./plan-events.ts";
import { matchesContainer } from "./record-filter.ts";
import type { ContainerStore, SandboxStore } from "./record-stores.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

export interface Stores {
  readonly sandboxes: SandboxStore;
  readonly containers: ContainerStore;
}

/**
 * Publishes what each change of a record means, in the same turn in which the record became durable: nothing can come
 * between the two but the end of the process, which ends every subscription too.
 */
export function publishChanges({ sandboxes, containers }: Stores, events: Pick<EventFanOut, "publish">): void {
  const publish = (kinds: readonly EventKind[], id: string, sandbox: SandboxRecord) => {
    if (kinds.length === 0) return;
    const pod = shownContainers(containers, sandbox.id);
    for (const kind of kinds) events.publish({ kind, id, sandbox, containers: pod });
  };
  sandboxes.onChange((before, after) => {
    const record = after ?? before;
    if (record !== undefined) publish(planSandboxEvents(before, after), record.id, record);
  });
  containers.onChange((before, after) => {
    const record = after ?? before;
    // A container whose pod has no record belongs to nobody that kubelet could tell.
    const sandbox = record && sandboxes.find(record.sandboxId);
    if (sandbox !== undefined) publish(planContainerEvents(before, after), record?.id ?? "", sandbox);
  });
}

/** The containers of a pod that callers see. */
export function shownContainers(
  containers: Pick<ContainerStore, "list">,
  sandboxId: SandboxId,
): readonly ContainerRecord[] {
  return containers.list().filter((record) => record.sandboxId === sandboxId && matchesContainer(record, {}));
}
