import { alignCells, durationText, printable } from "../src/cli/output.ts";

interface Row {
  readonly step: string;
  readonly what: string;
  readonly durationMs: number;
}

const { stdout } = process;
const bold = (text: string) => (stdout.isTTY ? `\u001b[1m${text}\u001b[22m` : text);
const dim = (text: string) => (stdout.isTTY ? `\u001b[2m${text}\u001b[22m` : text);

/** What the demo tells while it runs, and the table of its steps. */
export class Screen {
  readonly #rows: Row[] = [];
  readonly #signal: AbortSignal;
  #current = "";

  /** @param signal no further step begins once it aborts */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** The step that runs, or ran last. */
  get current(): string {
    return this.#current;
  }

  heading(text: string, detail = ""): void {
    stdout.write(`\n${bold(text)}${detail === "" ? "" : `  ${dim(detail)}`}\n`);
  }

  line(text: string): void {
    stdout.write(`  ${text}\n`);
  }

  /** Text that others wrote, such as a log line, after the name of who wrote it. */
  quote(who: string, text: string): void {
    stdout.write(`  ${dim(`${who} │`)} ${printable(text)}\n`);
  }

  table(rows: ReadonlyArray<readonly string[]>): void {
    for (const [place, line] of alignCells(rows).trimEnd().split("\n").entries()) {
      stdout.write(`  ${place === 0 ? dim(line) : line}\n`);
    }
  }

  /** Does one step of the demo and notes its time. @param describe what to write beside the step's name */
  async step<Result>(step: string, work: () => Promise<Result>, describe: (result: Result) => string): Promise<Result> {
    this.#signal.throwIfAborted();
    this.#current = step;
    const startedMs = performance.now();
    const result = await work();
    this.#rows.push({ step, what: describe(result), durationMs: performance.now() - startedMs });
    return result;
  }

  /** The steps so far, each with its time. */
  steps(): void {
    const rows = this.#rows.map(({ step, what, durationMs }) => [step, what, durationText(durationMs)]);
    const width = Math.max(...rows.map(([, , time]) => time?.length ?? 0));
    this.table([
      ["STEP", "WHAT", "TIME"],
      ...rows.map(([step = "", what = "", time = ""]) => [step, what, time.padStart(width)]),
    ]);
  }
}
