import { describe, expect, test } from "vitest";
import { type PullStep, PullView } from "../../src/cli/pull-view.ts";

const first = `sha256:${"a".repeat(64)}`;
const second = `sha256:${"b".repeat(64)}`;

function step(layer: string, phase: string, doneBytes = 0, totalBytes = 2_000_000, error = ""): PullStep {
  return { layer, phase, doneBytes, totalBytes, error };
}

/** Shows the steps and gives back all that was written. */
function show(
  steps: readonly PullStep[],
  terminal: { readonly columns: number; readonly rows?: number } | undefined,
): string {
  let written = "";
  const write = (text: string) => {
    written += text;
  };
  using view = new PullView(terminal === undefined ? { write } : { ...terminal, isTTY: true, write });
  for (const one of steps) view.update(one);
  view[Symbol.dispose]();
  return written;
}

describe("PullView", () => {
  test("writes one plain line for each layer's end when it is no terminal", () => {
    const steps = [
      step("", "resolving"),
      step(first, "downloading", 1),
      step(second, "exists"),
      step(first, "unpacking", 2_000_000),
      step(first, "done", 2_000_000),
      step(first, "done", 2_000_000),
      step("", "done"),
    ];
    expect(show(steps, undefined)).toBe("  bbbbbbbbbbbb  2.0 MB  already here\n  aaaaaaaaaaaa  2.0 MB  done\n");
  });

  test("draws a bar for each layer on a terminal", () => {
    const steps = [step(first, "downloading", 500_000), step(second, "done", 2_000_000)];
    expect(show(steps, { columns: 80 })).toBe(
      "\r  aaaaaaaaaaaa  ██████░░░░░░░░░░░░░░░░░░  500 kB of 2.0 MB  downloading\u001b[K\n" +
        "\r  bbbbbbbbbbbb  ████████████████████████            2.0 MB  done\u001b[K\n\u001b[J",
    );
  });

  test("gathers finished layers in one line when the terminal is too low", () => {
    const steps = Array.from({ length: 9 }, (_, place) => step(`sha256:${place}`, place < 4 ? "done" : "downloading"));
    const lines = show(steps, { columns: 80, rows: 6 }).split("\n");
    expect(lines.map((line) => line.slice(1, 24))).toEqual([
      "  4 of 9 layers done\u001b[K",
      "  4  ░░░░░░░░░░░░░░░░░░",
      "  5  ░░░░░░░░░░░░░░░░░░",
      "  and 3 more\u001b[K",
      "[J",
    ]);
  });

  test("cuts lines to the terminal's width, so that each stays one line", () => {
    const lines = show([step(first, "failed", 0, 0, "no\u001b[2J route")], { columns: 40 }).split("\n");
    expect(lines[0]).toBe("\r  aaaaaaaaaaaa  ░░░░░░░░░░░░░░░░░░░░░░░\u001b[K");
  });

  test("says how much it was", () => {
    using view = new PullView({ write: () => undefined });
    view.update(step(first, "done"));
    expect(view.summary()).toMatch(/^1 layer, 2\.0 MB in \d+ ms$/);
  });
});
