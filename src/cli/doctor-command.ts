import { readHostFacts } from "./doctor-facts.ts";
import { type Columns, formatRows, type OutputFormat } from "./output.ts";
import { type DoctorSubject, type Finding, planFindings, programsOf } from "./plan-doctor.ts";

const columns: Columns<Finding> = [
  ["STATE", ({ state }) => state],
  ["CHECK", ({ check }) => check],
  ["FOUND", ({ found }) => found],
  ["LOST", ({ lost }) => lost],
];

/** Looks at this machine. `healthy`: everything the configuration cannot do without is there. */
export function examine(
  subject: DoctorSubject,
  format: OutputFormat,
): { readonly text: string; readonly healthy: boolean } {
  const { root, network } = subject;
  const findings = planFindings(readHostFacts({ programs: programsOf(subject), root, cni: network.cni }), subject);
  return { text: formatRows(format, findings, columns), healthy: findings.every(({ state }) => state !== "missing") };
}
