import type { ContainerFilter__Output } from "../generated/runtime/v1/ContainerFilter.ts";
import type { PodSandboxFilter__Output } from "../generated/runtime/v1/PodSandboxFilter.ts";
import type { ContainerFilter, SandboxFilter } from "../sandbox/record-filter.ts";
import { invalid } from "./field-error.ts";

/** An absent or empty part holds for everything. @throws AgentError InvalidArgument for an unknown state */
export function decodeSandboxFilter(filter: PodSandboxFilter__Output | null): SandboxFilter {
  if (filter === null) return {};
  return {
    ...(filter.id === "" ? {} : { id: filter.id }),
    ...(filter.state === null ? {} : { state: decodeSandboxState(filter.state.state) }),
    labels: filter.label_selector,
  };
}

/** As {@link decodeSandboxFilter}. */
export function decodeContainerFilter(filter: ContainerFilter__Output | null): ContainerFilter {
  if (filter === null) return {};
  return {
    ...(filter.id === "" ? {} : { id: filter.id }),
    ...(filter.pod_sandbox_id === "" ? {} : { sandboxId: filter.pod_sandbox_id }),
    ...(filter.state === null ? {} : { state: decodeContainerState(filter.state.state) }),
    labels: filter.label_selector,
  };
}

function decodeSandboxState(state: NonNullable<PodSandboxFilter__Output["state"]>["state"]): "ready" | "notReady" {
  switch (state) {
    case "SANDBOX_READY":
      return "ready";
    case "SANDBOX_NOTREADY":
      return "notReady";
    default:
      throw invalid("filter.state.state", state satisfies never, "must be SANDBOX_READY or SANDBOX_NOTREADY");
  }
}

function decodeContainerState(
  state: NonNullable<ContainerFilter__Output["state"]>["state"],
): NonNullable<ContainerFilter["state"]> {
  switch (state) {
    case "CONTAINER_CREATED":
      return "created";
    case "CONTAINER_RUNNING":
      return "running";
    case "CONTAINER_EXITED":
      return "exited";
    case "CONTAINER_UNKNOWN":
      return "unknown";
    default:
      throw invalid("filter.state.state", state satisfies never, "must be one of the contract's ContainerState");
  }
}
