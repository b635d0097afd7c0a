import { AgentError } from "../common/errors.ts";

export const ingressBandwidthAnnotation = "kubernetes.io/ingress-bandwidth";
export const egressBandwidthAnnotation = "kubernetes.io/egress-bandwidth";

/** Bits per second that a pod may receive and send; undefined: as many as there are. */
export interface PodBandwidth {
  readonly ingressBitsPerSecond: number | undefined;
  readonly egressBitsPerSecond: number | undefined;
}

/** Kubernetes refuses what is beyond: too little to answer a probe, and more than any link. */
const [least, most] = [1_000, 1e15];
const units = ["", "k", "M", "G", "T", "P"];

/** @throws AgentError InvalidArgument naming the annotation */
export function readPodBandwidth(annotations: Readonly<Record<string, string>>): PodBandwidth {
  return {
    ingressBitsPerSecond: readRate(ingressBandwidthAnnotation, annotations[ingressBandwidthAnnotation]),
    egressBitsPerSecond: readRate(egressBandwidthAnnotation, annotations[egressBandwidthAnnotation]),
  };
}

function readRate(annotation: string, value = ""): number | undefined {
  if (value === "") return undefined;
  const match = /^(\d{1,16}(?:\.\d{1,9})?)(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/.exec(value.trim());
  const unit = match?.[2] ?? "";
  const rate = Math.ceil(
    Number(match?.[1]) *
      (unit.endsWith("i") ? 1024 : 1000) ** units.indexOf(unit.charAt(0) === "K" ? "k" : unit.charAt(0)),
  );
  if (match !== null && rate >= least && rate <= most) return rate;
  throw new AgentError(
    "InvalidArgument",
    `Invalid annotation ${annotation} ${JSON.stringify(value.slice(0, 200))}: must be bits per second such as "40M", 1k to 1P`,
  );
}
