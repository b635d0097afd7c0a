import koffi from "koffi";
import { SystemError } from "../common/errors.ts";

const NFT_CTX_OUTPUT_JSON = 1 << 4;

type Library = ReturnType<typeof load>;
let library: Library | undefined;

/** libnftables(3), loaded at the first use so that an agent without local networking does not need it. */
function load() {
  try {
    const lib = koffi.load("libnftables.so.1");
    return {
      create: lib.func("void *nft_ctx_new(uint32_t flags)"),
      free: lib.func("void nft_ctx_free(void *ctx)"),
      setOutputFlags: lib.func("void nft_ctx_output_set_flags(void *ctx, uint32_t flags)"),
      bufferOutput: lib.func("int nft_ctx_buffer_output(void *ctx)"),
      bufferError: lib.func("int nft_ctx_buffer_error(void *ctx)"),
      run: lib.func("int nft_run_cmd_from_buffer(void *ctx, const char *commands)"),
      output: lib.func("const char *nft_ctx_get_output_buffer(void *ctx)"),
      error: lib.func("const char *nft_ctx_get_error_buffer(void *ctx)"),
    };
  } catch (cause) {
    throw new SystemError('Cannot load "libnftables.so.1": install the package nftables', { cause });
  }
}

/**
 * An nftables session. Make it, and run its commands, while the thread is in the network namespace it is for: the
 * library opens its socket when the session is made, and newer versions again when a command runs.
 */
export class NftablesSession implements Disposable {
  readonly #library: Library;
  #context: unknown;

  /** @throws SystemError when libnftables is missing */
  constructor() {
    library ??= load();
    this.#library = library;
    const context: unknown = library.create(0);
    if (context === null) throw new SystemError("Cannot make an nftables session", { errno: "ENOMEM" });
    library.bufferOutput(context);
    library.bufferError(context);
    library.setOutputFlags(context, NFT_CTX_OUTPUT_JSON);
    this.#context = context;
  }

  /**
   * Runs commands as one transaction: all of them take effect at once, or none.
   * @param commands nft(8) text or libnftables-json(5) commands
   * @returns what listing commands print, as JSON text
   * @throws SystemError with the library's message and, where it names one, the errno
   */
  run(commands: string | readonly object[]): string {
    const text = typeof commands === "string" ? commands : JSON.stringify({ nftables: commands });
    const result = Number(this.#library.run(this.#context, text));
    const output = String(this.#library.output(this.#context) ?? "");
    if (result === 0) return output;
    const message = String(this.#library.error(this.#context) ?? "").trim();
    const errno = errnoIn(message);
    throw new SystemError(`nftables: ${firstLine(message)}`, errno === undefined ? {} : { errno });
  }

  [Symbol.dispose](): void {
    if (this.#context === null) return;
    this.#library.free(this.#context);
    this.#context = null;
  }
}

/** "internal:0:0-0: Error: Could not process rule: No such file or directory" and the offending text on later lines. */
function firstLine(message: string): string {
  return message.split("\n")[0]?.replace(/^(?:\S*:\d+:\d+-\d+: )?(?:Error: )?/, "") || "refused without a reason";
}

function errnoIn(message: string): string | undefined {
  if (message.includes("No such file or directory")) return "ENOENT";
  if (message.includes("File exists")) return "EEXIST";
  if (message.includes("Device or resource busy")) return "EBUSY";
  return undefined;
}
