const bitsPerWord = 32;
const bitsPerBlock = 1024;
const wordsPerBlock = bitsPerBlock / bitsPerWord;

/**
 * Which of `size` numbers are taken, one bit each, with a count of free ones for every 1024: the k-th free number is
 * found in about a hundred steps even when almost all are taken, so a uniform pick never has to be tried again.
 */
export class AddressBitmap {
  readonly size: number;
  readonly #words: Uint32Array;
  readonly #freeInBlock: Uint16Array;
  #free: number;

  constructor(size: number) {
    this.size = size;
    this.#free = size;
    const blocks = Math.ceil(size / bitsPerBlock);
    this.#words = new Uint32Array(blocks * wordsPerBlock);
    this.#freeInBlock = new Uint16Array(blocks).fill(bitsPerBlock);
    if (size % bitsPerBlock !== 0) this.#freeInBlock[blocks - 1] = size % bitsPerBlock;
  }

  /** How many numbers are not taken. */
  get free(): number {
    return this.#free;
  }

  isTaken(index: number): boolean {
    return ((this.#words[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
  }

  /** @returns false when it was taken already, or is out of range */
  take(index: number): boolean {
    if (index < 0 || index >= this.size || this.isTaken(index)) return false;
    this.#flip(index, -1);
    return true;
  }

  /** @returns false when it was free already, or is out of range */
  release(index: number): boolean {
    if (index < 0 || index >= this.size || !this.isTaken(index)) return false;
    this.#flip(index, 1);
    return true;
  }

  /** The k-th free number, counted from 0. @throws RangeError when fewer are free */
  selectFree(k: number): number {
    if (k < 0 || k >= this.#free) throw new RangeError(`no free number ${k}: ${this.#free} are free`);
    let left = k;
    let block = 0;
    while (left >= (this.#freeInBlock[block] ?? 0)) left -= this.#freeInBlock[block++] ?? 0;
    let word = block * wordsPerBlock;
    while (left >= freeBits(this.#words[word] ?? 0)) left -= freeBits(this.#words[word++] ?? 0);
    let bits = ~(this.#words[word] ?? 0) >>> 0;
    // Clearing the lowest set bit `left` times leaves the wanted one as the lowest.
    for (; left > 0; left--) bits &= bits - 1;
    return word * bitsPerWord + (31 - Math.clz32(bits & -bits));
  }

  #flip(index: number, freeChange: 1 | -1): void {
    this.#words[index >>> 5] = (this.#words[index >>> 5] ?? 0) ^ (1 << (index & 31));
    const block = Math.floor(index / bitsPerBlock);
    this.#freeInBlock[block] = (this.#freeInBlock[block] ?? 0) + freeChange;
    this.#free += freeChange;
  }
}

/** Zero bits of a word. */
function freeBits(word: number): number {
  let bits = ~word >>> 0;
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
