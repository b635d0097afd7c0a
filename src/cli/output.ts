import { stringify } from "yaml";

export const outputFormats = ["table", "json", "yaml"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** A table's columns: heading and what stands below it. */
export type Columns<Row> = ReadonlyArray<readonly [heading: string, cell: (row: Row) => string]>;

/** The rows as a table for people, or whole for programs. The text ends with a newline. */
export function formatRows<Row>(format: OutputFormat, rows: readonly Row[], columns: Columns<Row>): string {
  if (format !== "table") return formatValue(format, rows);
  const headings = columns.map(([heading]) => heading);
  return alignCells([headings, ...rows.map((row) => columns.map(([, cell]) => printable(cell(row))))]);
}

/** A value for programs. The text ends with a newline. */
export function formatValue(format: "json" | "yaml", value: unknown): string {
  return format === "json" ? `${JSON.stringify(value, null, 2)}\n` : stringify(value);
}

/** Lines of cells, each column as wide as its widest cell. */
export function alignCells(rows: ReadonlyArray<readonly string[]>): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** Bytes in the unit that leaves one to three digits before the point: "0 B", "999 kB", "1.5 GB". */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Time as people say it: "120 ms", "1.5 s", "2 min", "3 h", "4 days". */
export function durationText(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  const seconds = durationMs / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

/** Names come from others: control characters must not reach the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\uFFFD");
}
