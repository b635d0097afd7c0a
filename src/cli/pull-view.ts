import { durationText, printable, sizeText } from "./output.ts";

/** One step of a pull, as PullProgress says it, its numbers read. */
export interface PullStep {
  /** The layer's digest; empty: the pull as a whole. */
  readonly layer: string;
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly error: string;
}

/** What the view needs of an output stream. */
export interface ViewStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const framesPerSecond = 12;
const barWidth = 24;
const phaseWords: Readonly<Record<string, string>> = {
  resolving: "waiting",
  exists: "already here",
  done: "done",
};

/** A bar for each layer of one pull, redrawn in place on a terminal; elsewhere a line when a layer ends. */
export class PullView implements Disposable {
  readonly #stream: ViewStream;
  readonly #layers = new Map<string, PullStep>();
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #linesShown = 0;
  #changed = false;

  constructor(stream: ViewStream) {
    this.#stream = stream;
    if (stream.isTTY === true) this.#timer = setInterval(() => this.#draw(), 1000 / framesPerSecond).unref();
  }

  update(step: PullStep): void {
    if (step.layer === "") return;
    const before = this.#layers.get(step.layer);
    this.#layers.set(step.layer, step);
    this.#changed = true;
    if (this.#timer === undefined && hasEnded(step) && before?.phase !== step.phase)
      this.#stream.write(`${plainLine(step)}\n`);
  }

  /** Bytes and layers seen, for a summary: "5 layers, 123 MB in 1.5 s". */
  summary(): string {
    const layers = [...this.#layers.values()];
    const bytes = layers.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
    const count = `${layers.length} layer${layers.length === 1 ? "" : "s"}`;
    return `${count}, ${sizeText(bytes)} in ${durationText(performance.now() - this.#startedMs)}`;
  }

  /** Draws the last state; what follows begins below it. */
  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#draw();
  }

  #draw(): void {
    if (!this.#changed) return;
    this.#changed = false;
    // A terminal that nobody has told its size says 0.
    const columns = this.#stream.columns || 80;
    const rows = this.#stream.rows || 24;
    const lines = barLines([...this.#layers.values()], rows - 2).map((line) => line.slice(0, columns - 1));
    // Up to the first line of the last picture, then each line anew, erasing what was longer.
    const up = this.#linesShown === 0 ? "" : `\u001b[${this.#linesShown}A`;
    this.#stream.write(`${up}${lines.map((line) => `\r${line}\u001b[K\n`).join("")}\u001b[J`);
    this.#linesShown = lines.length;
  }
}

/** A line for each layer, in its place; when the screen is too low, finished layers share the first line. */
function barLines(layers: readonly PullStep[], height: number): readonly string[] {
  if (layers.length <= height) return layers.map(barLine);
  const open = layers.filter((step) => !hasEnded(step)).slice(0, height - 2);
  const rest = layers.filter((step) => hasEnded(step)).length;
  const more = layers.length - rest - open.length;
  return [
    `  ${rest} of ${layers.length} layers done`,
    ...open.map(barLine),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function hasEnded({ phase }: PullStep): boolean {
  return phase === "done" || phase === "exists" || phase === "failed";
}

/** "a1b2c3d4e5f6  ████████░░░░  12 MB of 30 MB  downloading" */
function barLine(step: PullStep): string {
  const { phase, doneBytes, totalBytes } = step;
  const complete = phase === "done" || phase === "exists";
  const share = complete ? 1 : totalBytes === 0 ? 0 : Math.min(1, doneBytes / totalBytes);
  const filled = Math.round(share * barWidth);
  const bar = `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}`;
  const bytes = complete ? sizeText(totalBytes) : `${sizeText(doneBytes)} of ${sizeText(totalBytes)}`;
  return `  ${shortDigest(step.layer)}  ${bar}  ${bytes.padStart(16)}  ${phaseText(step)}`;
}

function plainLine(step: PullStep): string {
  return `  ${shortDigest(step.layer)}  ${sizeText(step.totalBytes).padStart(6)}  ${phaseText(step)}`;
}

function phaseText({ phase, error }: PullStep): string {
  return phase === "failed" ? `failed: ${printable(error)}` : (phaseWords[phase] ?? phase);
}

function shortDigest(digest: string): string {
  return printable(digest.slice(digest.indexOf(":") + 1)).slice(0, 12);
}
