import type { ContainerUsage, SandboxUsage } from "../sandbox/usage-service.ts";

/** One value of a family, with the values of the family's own labels. */
export interface MetricSample {
  readonly value: number | bigint;
  readonly labels?: readonly string[];
}

/** What one metric is and where its values come from; names and meanings are cAdvisor's, which dashboards are made for. */
export interface MetricFamily<Subject> {
  readonly name: string;
  readonly help: string;
  readonly type: "COUNTER" | "GAUGE";
  /** Keys after those that every metric has. */
  readonly labels: readonly string[];
  /** None where the kernel doesn't count it. */
  readonly samples: (subject: Subject) => readonly MetricSample[];
}

/** A container that runs, with all that was read of it. */
export type MeteredContainer = ContainerUsage & { readonly reading: NonNullable<ContainerUsage["reading"]> };
export type MeteredPod = SandboxUsage;

/** What every metric is labelled with, in containerd's order. Of a pod's own metrics `container` and `image` are empty. */
export const commonLabels = ["pod", "namespace", "container", "id", "image"] as const;

/** A family of at most one value. @param value undefined: not known */
export function plain<Subject>(
  type: MetricFamily<Subject>["type"],
  name: string,
  help: string,
  value: (subject: Subject) => number | bigint | undefined,
): MetricFamily<Subject> {
  const samples = (subject: Subject) => {
    const known = value(subject);
    return known === undefined ? [] : [{ value: known }];
  };
  return { name: `container_${name}`, help, type, labels: [], samples };
}

/** A family with labels of its own. */
export function labelled<Subject>(
  type: MetricFamily<Subject>["type"],
  name: string,
  help: string,
  labels: readonly string[],
  samples: MetricFamily<Subject>["samples"],
): MetricFamily<Subject> {
  return { name: `container_${name}`, help, type, labels, samples };
}

/** The contract's values are whole numbers, so of seconds the fraction is lost. */
export function wholeSeconds(nanoseconds: bigint | undefined): bigint | undefined {
  return nanoseconds === undefined ? undefined : nanoseconds / 1_000_000_000n;
}
