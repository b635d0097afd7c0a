import { AgentError } from "../common/errors.ts";
import { withProfileAnnotations } from "../manifests/eci-profile.ts";
import { type NodeManifests, namespaceLabels } from "../manifests/node-manifests.ts";
import { type PodNetworking, selectsPod } from "../manifests/pod-networking.ts";
import type { NetworkConfig, Vswitch } from "./vpc-config.ts";

/** Names up to ten vSwitches of one VPC. */
export const vswitchAnnotation = "k8s.aliyun.com/eci-vswitch";
/** VSwitchOrdered or VSwitchRandom; without it the pods spread at random. */
export const strategyAnnotation = "k8s.aliyun.com/eci-schedule-strategy";
/** "true": the pod must get an IPv6 address; "false": it gets none. Without it a pod gets one where its vSwitch has a range. */
export const ipv6Annotation = "k8s.aliyun.com/eci-enable-ipv6";
const maxVswitches = 10;

/** Of the pod, what the choice depends on. */
export interface ChoosingPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ChoiceFacts {
  readonly config: NetworkConfig;
  readonly manifests: NodeManifests;
  /** Addresses each vSwitch has left. */
  readonly free: ReadonlyMap<string, number>;
  /** Gives the list in a random order. */
  readonly shuffle: (ids: readonly string[]) => readonly string[];
}

/** Who says which vSwitches a pod may use. */
export type ChoiceSource = "annotation" | "PodNetworking" | "eci-profile" | "configuration";
export type ChoiceOrder = "ordered" | "random" | "most";

export interface LosingVswitch {
  readonly vswitchId: string;
  readonly reason: string;
}

/** The vSwitches a pod may use, in the order in which they are tried, and why these. */
export interface VswitchChoice {
  readonly source: ChoiceSource;
  /** The PodNetworking's name; empty otherwise. */
  readonly sourceName: string;
  readonly order: ChoiceOrder;
  readonly candidates: readonly string[];
  /** Named by the source, but not to be had. */
  readonly losers: readonly LosingVswitch[];
  /** What else would have had a say, and why it had none. */
  readonly notes: readonly string[];
  readonly ipv6: "required" | "refused" | "where there is a range";
}

interface Named {
  readonly source: ChoiceSource;
  readonly sourceName: string;
  readonly order: ChoiceOrder;
  readonly ids: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Chooses the vSwitches of a pod: those its annotation names, else those of the PodNetworking that selects it, else the
 * eci-profile's, else all of the first configured vSwitch's VPC.
 * @throws AgentError InvalidArgument naming the annotation; FailedPrecondition when nothing of what an operator named can be used
 */
export function planVswitchChoice(pod: ChoosingPod, facts: ChoiceFacts): VswitchChoice {
  const { config, manifests } = facts;
  const labels = { labels: pod.labels, namespaceLabels: namespaceLabels(manifests, pod.namespace) };
  const annotations = withProfileAnnotations(manifests.eciProfile, labels, pod.annotations);
  const selecting = manifests.podNetworkings.filter((networking) => selectsPod(networking, labels));
  const strategy = readStrategy(annotations[strategyAnnotation]);
  const ipv6 = readIpv6(annotations[ipv6Annotation]);
  const asked = annotations[vswitchAnnotation] ?? "";
  const named =
    asked.trim() === ""
      ? namedByOperator(selecting, manifests, config, strategy)
      : {
          source: "annotation" as const,
          sourceName: "",
          order: strategy ?? ("random" as const),
          ids: readAsked(asked, config),
          notes: selecting.map(({ name }) => `PodNetworking "${name}" selects the pod, but its annotation goes first`),
        };
  const { usable, losers } = sift(named, config, ipv6);
  if (usable.length === 0) throw nothingLeft(named, losers);
  const { source, sourceName, order, notes } = named;
  return { source, sourceName, order, candidates: arrange(usable, order, facts), losers, notes, ipv6 };
}

function namedByOperator(
  selecting: readonly PodNetworking[],
  { eciProfile }: NodeManifests,
  config: NetworkConfig,
  strategy: ChoiceOrder | undefined,
): Named {
  const [first, ...others] = selecting.filter(({ vSwitchOptions }) => vSwitchOptions.length > 0);
  if (first !== undefined) {
    return {
      source: "PodNetworking",
      sourceName: first.name,
      order: first.vSwitchSelectionPolicy,
      ids: first.vSwitchOptions,
      notes: others.map(({ name }) => `PodNetworking "${name}" selects the pod too, but comes later by name`),
    };
  }
  if (eciProfile.vSwitchIds.length > 0) {
    return {
      source: "eci-profile",
      sourceName: "",
      order: strategy ?? "random",
      ids: eciProfile.vSwitchIds.slice(0, maxVswitches),
      notes: [],
    };
  }
  const vpcId = config.vswitches[0]?.vpcId;
  const ids = config.vswitches.filter((vswitch) => vswitch.vpcId === vpcId).map(({ id }) => id);
  return { source: "configuration", sourceName: "", order: strategy ?? "ordered", ids, notes: [] };
}

/** What the pod itself asks for must be right in every part. */
function readAsked(asked: string, config: NetworkConfig): readonly string[] {
  const ids = [...new Set(asked.split(",").map((id) => id.trim()))];
  if (ids.length > maxVswitches) throw invalid(vswitchAnnotation, asked, `at most ${maxVswitches} vSwitches`);
  const chosen = ids.map((id) => {
    const vswitch = config.vswitches.find((candidate) => candidate.id === id);
    if (vswitch !== undefined) return vswitch;
    const known = config.vswitches.map((candidate) => candidate.id).join(", ");
    throw invalid(vswitchAnnotation, asked, `a list of configured vSwitches (${known})`);
  });
  if (new Set(chosen.map(({ vpcId }) => vpcId)).size > 1)
    throw invalid(vswitchAnnotation, asked, "vSwitches of one VPC");
  return ids;
}

/** Parts what can be used from what can't: unknown ids, those of another VPC than the first, those without what is asked for. */
function sift(
  { ids }: Named,
  config: NetworkConfig,
  ipv6: VswitchChoice["ipv6"],
): { usable: readonly string[]; losers: readonly LosingVswitch[] } {
  const usable: Vswitch[] = [];
  const losers: LosingVswitch[] = [];
  for (const id of new Set(ids)) {
    const vswitch = config.vswitches.find((candidate) => candidate.id === id);
    const first = usable[0];
    if (vswitch === undefined) losers.push({ vswitchId: id, reason: "is not configured" });
    else if (first !== undefined && first.vpcId !== vswitch.vpcId) {
      losers.push({ vswitchId: id, reason: `is of VPC "${vswitch.vpcId}", "${first.id}" is of "${first.vpcId}"` });
    } else if (ipv6 === "required" && vswitch.ipv6Cidr === undefined) {
      losers.push({ vswitchId: id, reason: `has no IPv6 range, which ${ipv6Annotation} asks for` });
    } else usable.push(vswitch);
  }
  return { usable: usable.map(({ id }) => id), losers };
}

function arrange(ids: readonly string[], order: ChoiceOrder, { free, shuffle }: ChoiceFacts): readonly string[] {
  switch (order) {
    case "ordered":
      return ids;
    case "random":
      return shuffle(ids);
    case "most":
      return ids.toSorted((a, b) => (free.get(b) ?? 0) - (free.get(a) ?? 0));
    default:
      return order satisfies never;
  }
}

function nothingLeft({ source, sourceName }: Named, losers: readonly LosingVswitch[]): AgentError {
  const owner = sourceName === "" ? `the ${source}` : `${source} "${sourceName}"`;
  const reasons = losers.map(({ vswitchId, reason }) => `"${vswitchId}" ${reason}`).join("; ");
  return new AgentError("FailedPrecondition", `No vSwitch that ${owner} names can be used: ${reasons}`);
}

function readStrategy(value = ""): ChoiceOrder | undefined {
  if (value === "") return undefined;
  if (value === "VSwitchOrdered") return "ordered";
  if (value === "VSwitchRandom") return "random";
  throw invalid(strategyAnnotation, value, '"VSwitchOrdered" or "VSwitchRandom"');
}

function readIpv6(value = ""): VswitchChoice["ipv6"] {
  if (value === "") return "where there is a range";
  if (value === "true") return "required";
  if (value === "false") return "refused";
  throw invalid(ipv6Annotation, value, '"true" or "false"');
}

function invalid(annotation: string, value: string, want: string): AgentError {
  return new AgentError(
    "InvalidArgument",
    `Invalid annotation ${annotation} ${JSON.stringify(value.slice(0, 200))}: must be ${want}`,
  );
}
