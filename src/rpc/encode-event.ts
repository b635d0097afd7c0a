import type { ContainerEventResponse } from "../generated/runtime/v1/ContainerEventResponse.ts";
import type { ContainerEventType } from "../generated/runtime/v1/ContainerEventType.ts";
import type { PodEvent } from "../sandbox/event-fan-out.ts";
import { encodeContainerStatus } from "./encode-container.ts";
import { encodeSandboxStatus } from "./encode-sandbox.ts";
import { encodeTimestamp } from "./timestamps.ts";

const types = {
  created: "CONTAINER_CREATED_EVENT",
  started: "CONTAINER_STARTED_EVENT",
  stopped: "CONTAINER_STOPPED_EVENT",
  deleted: "CONTAINER_DELETED_EVENT",
} as const satisfies Record<PodEvent["kind"], ContainerEventType>;

/** An event with the statuses of the whole pod; kubelet can't place it without them. */
export function encodeEvent(event: PodEvent): ContainerEventResponse {
  return {
    container_id: event.id,
    container_event_type: types[event.kind],
    created_at: encodeTimestamp(event.createdAtMs),
    pod_sandbox_status: encodeSandboxStatus(event.sandbox),
    containers_statuses: event.containers.map(encodeContainerStatus),
  };
}
