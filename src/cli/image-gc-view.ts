import type { CollectImagesResponse__Output } from "../generated/podling/v1/CollectImagesResponse.ts";
import { type Columns, durationText, formatRows, sizeText } from "./output.ts";

/** What became of an image, as `podling images gc -o json` prints it. */
export interface CollectionRow {
  readonly id: string;
  readonly image: string;
  readonly action: "remove" | "removed" | "keep";
  readonly reason: string;
  readonly detail: string;
  readonly idleSeconds: number;
  readonly freesBytes: number;
  readonly error: string;
}

const reasonTexts: Readonly<Record<string, string>> = {
  expired: "unused for longer than the maximum age",
  space: "the file system is too full",
  "in-use": "used by",
  pinned: "pinned by",
  leased: "leased",
  young: "used, pulled or asked for within the minimum age",
  shared: "others need all of its layers",
  unneeded: "there is space, and it is not too old",
};

export function collectionRows(report: CollectImagesResponse__Output, dryRun: boolean): readonly CollectionRow[] {
  const done = dryRun ? "remove" : "removed";
  return report.decisions.map((decision) => ({
    id: decision.id,
    image: decision.name,
    action: decision.removed ? done : "keep",
    reason: decision.reason,
    detail: decision.detail,
    idleSeconds: Number(decision.idle_seconds),
    freesBytes: Number(decision.frees_bytes),
    error: decision.error,
  }));
}

const columns: Columns<CollectionRow> = [
  ["IMAGE", ({ image }) => image],
  ["ACTION", ({ action }) => action],
  ["UNUSED", ({ idleSeconds }) => durationText(idleSeconds * 1000)],
  ["FREES", ({ action, freesBytes }) => (action === "keep" ? "" : sizeText(freesBytes))],
  ["WHY", whyText],
];

/** A table of the decisions, and a line about the file system. */
export function collectionText(report: CollectImagesResponse__Output, dryRun: boolean): string {
  const capacity = Number(report.capacity_bytes);
  const used = capacity - Number(report.available_bytes);
  const percent = capacity === 0 ? 0 : Math.round((used * 100) / capacity);
  const missing = Number(report.missing_bytes);
  const lacking = missing > 0 ? `; ${sizeText(missing)} more are wanted, and no image can go` : "";
  const table = formatRows("table", collectionRows(report, dryRun), columns);
  return `${table}${sizeText(used)} of ${sizeText(capacity)} in use (${percent}%)${lacking}\n`;
}

function whyText({ reason, detail, error }: CollectionRow): string {
  const why = `${reasonTexts[reason] ?? reason}${detail === "" ? "" : ` ${detail}`}`;
  return error === "" ? why : `${why}; failed: ${error}`;
}
