import { z } from "zod";
import { AgentError, errorText } from "../common/errors.ts";
import { type LabelSelector, labelSelectorSchema, selects } from "./label-selector.ts";
import type { Manifest } from "./manifest.ts";
import { manifestFault, readPart } from "./manifest-fault.ts";
import type { PodLabels } from "./pod-labels.ts";

export const eciProfileName = { namespace: "kube-system", name: "eci-profile" } as const;

/** The defaults of every pod of the node: the ConfigMap kube-system/eci-profile, read. */
export interface EciProfile {
  /** Empty where the profile says nothing. */
  readonly vpcId: string;
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId: string;
  readonly resourceGroupId: string;
  /** In the order in which they are walked. */
  readonly selectors: readonly ProfileSelector[];
  readonly enableClusterIp: boolean;
  readonly enablePrivateZone: boolean;
  readonly enableLogController: boolean;
  readonly enablePVCController: boolean;
}

/** Gives the pods that it selects labels and annotations. Without any selector it selects all. */
export interface ProfileSelector {
  readonly name: string;
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a profile without a ConfigMap says: nothing. */
export const emptyEciProfile: EciProfile = {
  vpcId: "",
  vSwitchIds: [],
  securityGroupId: "",
  resourceGroupId: "",
  selectors: [],
  enableClusterIp: true,
  enablePrivateZone: false,
  enableLogController: false,
  enablePVCController: false,
};

const texts = z.record(z.string(), z.string("must be text: quote it"), "must be text by key");
const selectorsSchema = z.array(
  z.strictObject(
    {
      name: z.string("must be text").min(1, "must not be empty"),
      namespaceSelector: labelSelectorSchema.optional(),
      objectSelector: labelSelectorSchema.optional(),
      effect: z.strictObject({ annotations: texts.default({}), labels: texts.default({}) }, "must say what to add"),
    },
    "must be a selector",
  ),
  "must be a list of selectors",
);
const flag = z.enum(["true", "false"], 'must be "true" or "false"').transform((value) => value === "true");
const text = z.string("must be text: quote it");

/** Unknown keys are let be: a cluster's profile is written for more readers than us. */
const dataSchema = z.looseObject(
  {
    vpcId: text.default(""),
    vSwitchIds: text.default("").transform((list) =>
      list
        .split(",")
        .map((id) => id.trim())
        .filter((id) => id !== ""),
    ),
    securityGroupId: text.default(""),
    resourceGroupId: text.default(""),
    selectors: text.default(""),
    enableClusterIp: flag.default(true),
    enablePrivateZone: flag.default(false),
    enableLogController: flag.default(false),
    enablePVCController: flag.default(false),
  },
  "must be a ConfigMap's data",
);

/** Whether the manifest is the ConfigMap that {@link parseEciProfile} reads. */
export function isEciProfile({ apiVersion, kind, name, namespace }: Manifest): boolean {
  return (
    apiVersion === "v1" &&
    kind === "ConfigMap" &&
    name === eciProfileName.name &&
    namespace === eciProfileName.namespace
  );
}

/** @throws AgentError InvalidArgument naming file, line and key */
export function parseEciProfile(manifest: Manifest): EciProfile {
  const { selectors, ...data } = readPart(
    manifest,
    ["data"],
    dataSchema.default(() => dataSchema.parse({})),
  );
  const { vpcId, vSwitchIds, securityGroupId, resourceGroupId } = data;
  const { enableClusterIp, enablePrivateZone, enableLogController, enablePVCController } = data;
  return {
    vpcId,
    vSwitchIds,
    securityGroupId,
    resourceGroupId,
    selectors: parseSelectors(manifest, selectors),
    enableClusterIp,
    enablePrivateZone,
    enableLogController,
    enablePVCController,
  };
}

/** The key holds JSON, as text. */
function parseSelectors(manifest: Manifest, json: string): readonly ProfileSelector[] {
  if (json.trim() === "") return [];
  const path = ["data", "selectors"];
  try {
    const result = selectorsSchema.safeParse(JSON.parse(json));
    if (!result.success) {
      const issue = result.error.issues[0];
      throw new AgentError("InvalidArgument", `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not understood"}`);
    }
    return result.data.map(({ effect, name, namespaceSelector, objectSelector }) => ({
      name,
      namespaceSelector,
      objectSelector,
      ...effect,
    }));
  } catch (error) {
    throw manifestFault(manifest, path, `must be a JSON list of selectors: ${errorText(error)}`);
  }
}

/**
 * A pod's annotations with what the profile's selectors add: all that match count, in order, and nothing that is there
 * already is overwritten.
 */
export function withProfileAnnotations(
  profile: EciProfile,
  pod: PodLabels,
  annotations: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const matching = profile.selectors.filter(
    ({ namespaceSelector, objectSelector }) =>
      (namespaceSelector === undefined || selects(namespaceSelector, pod.namespaceLabels)) &&
      (objectSelector === undefined || selects(objectSelector, pod.labels)),
  );
  return Object.assign({}, ...matching.map((selector) => selector.annotations).reverse(), annotations);
}
