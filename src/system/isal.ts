import koffi, { type KoffiFunc } from "koffi";
import { SystemError } from "../common/errors.ts";

/**
 * Raw inflate by Intel's ISA-L (Debian's libisal2, soname 2), which needs half the processor time of zlib. The library is
 * optional: {@link isIsalUsable} says whether it is here and is laid out as this file believes.
 */

/** Offsets of `struct inflate_state` (igzip_lib.h of ISA-L 2.x, LP64). */
const offsets = {
  nextOut: 0,
  availableOut: 8,
  totalOut: 12,
  nextIn: 16,
  heldBits: 24,
  availableIn: 32,
  heldBitCount: 36,
  blockState: 21_160,
  crcFlag: 21_172,
  crc: 21_176,
} as const;
/** The structure has 87,368 bytes in 2.30; what a later 2.x may add must not be written past the end. */
const stateBytes = 256 * 1024;
/** ISAL_GZIP_NO_HDR: no gzip header and trailer, but the output's CRC-32 is counted. */
const countCrc = 2;
/** ISAL_BLOCK_FINISH */
const finished = 5;

interface IsalLibrary {
  readonly init: KoffiFunc<(state: Buffer) => number>;
  readonly inflate: KoffiFunc<(state: Buffer) => number>;
}

let library: IsalLibrary | undefined | "absent";

/** What one step of decoding did. */
export interface InflateStep {
  /** Bytes of the input that were taken. */
  readonly consumed: number;
  /** Bytes of the output that were filled. */
  readonly produced: number;
  /** The stream's last block is decoded and given out. */
  readonly ended: boolean;
}

/** One raw deflate stream after the other, decoded in the thread pool. Not to be used for two steps at a time. */
export class IsalInflate {
  readonly #library: IsalLibrary;
  readonly #state = Buffer.alloc(stateBytes);

  /** @throws SystemError where the library is not usable */
  constructor() {
    const loaded = loadLibrary();
    if (loaded === undefined) throw new SystemError("load libisal.so.2: it is not installed, or is another version");
    this.#library = loaded;
    this.begin();
  }

  /** Makes ready for a new stream. */
  begin(): void {
    this.#library.init(this.#state);
    this.#state.writeUInt32LE(countCrc, offsets.crcFlag);
  }

  /**
   * Decodes from the input into the output until one of them is used up or the stream ends. Both must be left alone meanwhile.
   * @throws SystemError for what is no deflate stream
   */
  async step(input: Uint8Array, output: Uint8Array): Promise<InflateStep> {
    this.#point(input, output);
    const result = await new Promise<number>((resolve, reject) => {
      this.#library.inflate.async(this.#state, (error: Error | null, value: number) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    return this.#outcome(result, input, output);
  }

  /** As {@link step}, but on this thread. */
  stepNow(input: Uint8Array, output: Uint8Array): InflateStep {
    this.#point(input, output);
    return this.#outcome(this.#library.inflate(this.#state), input, output);
  }

  /** CRC-32 of the stream's output so far. */
  get crc(): number {
    return this.#state.readUInt32LE(offsets.crc);
  }

  /** Bytes of the stream's output so far, modulo 2³². */
  get totalOut(): number {
    return this.#state.readUInt32LE(offsets.totalOut);
  }

  /** After a stream's end: whole bytes behind it that were taken from the input already. They precede what is left of it. */
  takeHeldBytes(): Buffer {
    const bits = this.#state.readInt32LE(offsets.heldBitCount);
    const held = Buffer.alloc(8);
    // What is left of the stream's last byte has no meaning (RFC 1951, 3.2.3).
    held.writeBigUInt64LE(this.#state.readBigUInt64LE(offsets.heldBits) >> BigInt(bits % 8));
    return held.subarray(0, Math.floor(bits / 8));
  }

  #point(input: Uint8Array, output: Uint8Array): void {
    // Addresses of empty buffers need not exist.
    this.#state.writeBigUInt64LE(input.byteLength === 0 ? 0n : koffi.address(input), offsets.nextIn);
    this.#state.writeUInt32LE(input.byteLength, offsets.availableIn);
    this.#state.writeBigUInt64LE(koffi.address(output), offsets.nextOut);
    this.#state.writeUInt32LE(output.byteLength, offsets.availableOut);
  }

  #outcome(result: number, input: Uint8Array, output: Uint8Array): InflateStep {
    if (result < 0) throw new SystemError(`inflate: ${faultTexts.get(result) ?? `ISA-L error ${result}`}`);
    return {
      consumed: input.byteLength - this.#state.readUInt32LE(offsets.availableIn),
      produced: output.byteLength - this.#state.readUInt32LE(offsets.availableOut),
      ended: this.#state.readInt32LE(offsets.blockState) === finished,
    };
  }
}

const faultTexts = new Map([
  [-1, "invalid block"],
  [-2, "invalid symbol"],
  [-3, "invalid distance"],
]);

/** Whether {@link IsalInflate} works on this machine. */
export function isIsalUsable(): boolean {
  return loadLibrary() !== undefined;
}

function loadLibrary(): IsalLibrary | undefined {
  if (library === undefined) {
    library = "absent";
    library = tryLibrary() ?? "absent";
  }
  return library === "absent" ? undefined : library;
}

function tryLibrary(): IsalLibrary | undefined {
  let loaded: IsalLibrary;
  try {
    const lib = koffi.load("libisal.so.2");
    loaded = {
      init: lib.func("void isal_inflate_init(void *state)"),
      inflate: lib.func("int isal_inflate(void *state)"),
    };
  } catch {
    return undefined;
  }
  library = loaded;
  const works = isLaidOutAsBelieved();
  library = undefined;
  return works ? loaded : undefined;
}

/** "aaaaaaaaaab", deflated by zlib, with bytes behind it: every offset takes part in getting this right. */
const trial = Buffer.from("4b4c848124007a7a7a7a", "hex");

function isLaidOutAsBelieved(): boolean {
  try {
    const inflate = new IsalInflate();
    const output = Buffer.alloc(32);
    const first = inflate.stepNow(trial.subarray(0, 2), output);
    const second = inflate.stepNow(trial.subarray(2), output.subarray(first.produced));
    const text = output.toString("latin1", 0, first.produced + second.produced);
    const behind = Buffer.concat([inflate.takeHeldBytes(), trial.subarray(2 + second.consumed)]).toString("latin1");
    return (
      !first.ended &&
      second.ended &&
      text === "aaaaaaaaaab" &&
      inflate.totalOut === text.length &&
      inflate.crc === 0xcc4f0c28 &&
      behind === "zzzz"
    );
  } catch {
    return false;
  }
}
