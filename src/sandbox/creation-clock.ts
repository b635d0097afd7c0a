/**
 * Creation times: milliseconds since the epoch, with a fraction to tell those of one millisecond apart, each later than every one before it even
 * when the host's clock steps back, since callers take the newest sandbox of a pod for the living one.
 */
export class CreationClock {
  #last: number;

  /** @param newestMs creation time of the newest record, 0 when there is none */
  constructor(newestMs: number) {
    this.#last = newestMs;
  }

  next(): number {
    const now = Date.now();
    this.#last = Math.max(now, this.#last + 0.001);
    return this.#last;
  }
}
