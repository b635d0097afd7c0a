import type { TerminalSize, TerminalSizes } from "../../common/process-streams.ts";

/** A size is some 30 bytes. */
const mostPendingCharacters = 1024;
const mostCells = 65_535;

/** Reads `{"Width":80,"Height":24}` objects, one after another, however the stream is cut. */
export class ResizeReader {
  #pending = "";
  #broken = false;

  /** @returns the sizes that the chunk completes; none after something that is no such object */
  push(chunk: Buffer): readonly TerminalSize[] {
    if (this.#broken) return [];
    const sizes: TerminalSize[] = [];
    this.#pending += chunk.toString("latin1");
    for (let end = this.#pending.indexOf("}"); end >= 0 && !this.#broken; end = this.#pending.indexOf("}")) {
      const size = parseSize(this.#pending.slice(0, end + 1));
      this.#pending = this.#pending.slice(end + 1);
      if (size === "malformed") this.#broken = true;
      else if (size !== undefined) sizes.push(size);
    }
    if (this.#pending.length > mostPendingCharacters) this.#broken = true;
    if (this.#broken) this.#pending = "";
    return sizes;
  }
}

/** The last size that came, and whoever wants to know of the next. */
export class LatestSize implements TerminalSizes {
  #latest: TerminalSize | undefined;
  #listener: (size: TerminalSize) => void = () => undefined;

  get latest(): TerminalSize | undefined {
    return this.#latest;
  }

  onChange(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
  }

  set(size: TerminalSize): void {
    this.#latest = size;
    this.#listener(size);
  }
}

/** @returns undefined for a size that no terminal has */
function parseSize(text: string): TerminalSize | undefined | "malformed" {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "malformed";
  }
  if (typeof value !== "object" || value === null) return "malformed";
  // Go reads keys in any case.
  const fields = new Map(Object.entries(value).map(([key, field]) => [key.toLowerCase(), field]));
  const [width, height] = [fields.get("width"), fields.get("height")];
  return isCount(width) && isCount(height) ? { width, height } : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= mostCells;
}
