import { z } from "zod";

/** Kubernetes' LabelSelector (apimachinery meta/v1): all of its demands must hold; one without any matches everything. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelExpression[];
}

export interface LabelExpression {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
}

const expression = z
  .strictObject({
    key: z.string("must be a label's key").min(1, "must be a label's key"),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"], "must be In, NotIn, Exists or DoesNotExist"),
    values: z.array(z.string("must be text"), "must be a list of text").default([]),
  })
  .refine(({ operator, values }) => (operator === "In" || operator === "NotIn") === values.length > 0, {
    error: "In and NotIn need values, Exists and DoesNotExist take none",
    path: ["values"],
  });

export const labelSelectorSchema = z.strictObject(
  {
    matchLabels: z.record(z.string(), z.string("must be text: quote it"), "must be text by key").default({}),
    matchExpressions: z.array(expression, "must be a list of expressions").default([]),
  },
  "must be a label selector",
);

/** Whether the labels fulfil everything the selector demands. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const labelOf = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => labelOf(key) === value) &&
    selector.matchExpressions.every((demand) => fulfils(demand, labelOf(demand.key)))
  );
}

/** NotIn holds for a label that is absent, as in Kubernetes. */
function fulfils({ operator, values }: LabelExpression, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return operator satisfies never;
  }
}
