import { z } from "zod";
import { type LabelSelector, labelSelectorSchema, selects } from "./label-selector.ts";
import type { Manifest } from "./manifest.ts";
import { readPart } from "./manifest-fault.ts";
import type { PodLabels } from "./pod-labels.ts";

export const podNetworkingApiVersion = "network.alibabacloud.com/v1beta1";

/** Which vSwitches and security groups the pods that it selects get. Field names are the resource's own. */
export interface PodNetworking {
  readonly name: string;
  /** Absent selectors demand nothing; with neither, no pod is selected. */
  readonly podSelector: LabelSelector | undefined;
  readonly namespaceSelector: LabelSelector | undefined;
  readonly vSwitchOptions: readonly string[];
  readonly vSwitchSelectionPolicy: "ordered" | "random" | "most";
  readonly securityGroupIDs: readonly string[];
}

const ids = z.array(z.string("must be an id").min(1, "must be an id"), "must be a list of ids");

const specSchema = z.strictObject(
  {
    eniOptions: z
      .strictObject({
        eniType: z.enum(["Default", "ENI", "Trunk"], "must be Default, ENI or Trunk").default("Default"),
      })
      .optional(),
    // An elastic container instance has fixed addresses by annotation alone: "Fixed" selects pods like "Elastic".
    allocationType: z
      .strictObject({
        type: z.enum(["Elastic", "Fixed"], "must be Elastic or Fixed").default("Elastic"),
        releaseStrategy: z.enum(["TTL", "Never"], "must be TTL or Never").optional(),
        releaseAfter: z.string("must be a duration").optional(),
      })
      .optional(),
    selector: z
      .strictObject({
        podSelector: labelSelectorSchema.optional(),
        namespaceSelector: labelSelectorSchema.optional(),
      })
      .default({}),
    vSwitchOptions: ids.max(10, "must be at most 10 vSwitches").default([]),
    vSwitchSelectOptions: z
      .strictObject({
        vSwitchSelectionPolicy: z
          .enum(["ordered", "random", "most"], "must be ordered, random or most")
          .default("ordered"),
      })
      .default({ vSwitchSelectionPolicy: "ordered" }),
    securityGroupIDs: ids.max(5, "must be at most 5 security groups").default([]),
  },
  "must be a PodNetworking's spec",
);

const statusSchema = z.looseObject({ status: z.string().optional() }).optional();

/**
 * Reads a PodNetworking.
 * @returns undefined for one whose status says that it is not to be used
 * @throws AgentError InvalidArgument naming file, line and field
 */
export function parsePodNetworking(manifest: Manifest): PodNetworking | undefined {
  const spec = readPart(manifest, ["spec"], specSchema);
  const status = readPart(manifest, ["status"], statusSchema)?.status ?? "Ready";
  if (status !== "Ready") return undefined;
  return {
    name: manifest.name,
    podSelector: spec.selector.podSelector,
    namespaceSelector: spec.selector.namespaceSelector,
    vSwitchOptions: spec.vSwitchOptions,
    vSwitchSelectionPolicy: spec.vSwitchSelectOptions.vSwitchSelectionPolicy,
    securityGroupIDs: spec.securityGroupIDs,
  };
}

/** Both selectors must match where both are there; one without any is only ever asked for by name. */
export function selectsPod({ podSelector, namespaceSelector }: PodNetworking, pod: PodLabels): boolean {
  if (podSelector === undefined && namespaceSelector === undefined) return false;
  return (
    (podSelector === undefined || selects(podSelector, pod.labels)) &&
    (namespaceSelector === undefined || selects(namespaceSelector, pod.namespaceLabels))
  );
}
