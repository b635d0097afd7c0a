import type { Readable } from "node:stream";

const pauseAboveBytes = 4 * 1024 * 1024;

/**
 * The chunks of a response body exactly as the socket gave them. A stream's own async iterator joins what has piled up
 * into a new buffer; this one hands the pieces over uncopied.
 * @throws what the stream fails with, also when it is destroyed before its end
 */
export async function* bodyChunks(body: Readable): AsyncGenerator<Uint8Array, void, undefined> {
  const ready: Uint8Array[] = [];
  let readyBytes = 0;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const signalReader = () => {
    wake?.();
    wake = undefined;
  };
  body.on("data", (chunk: Uint8Array) => {
    ready.push(chunk);
    readyBytes += chunk.byteLength;
    if (readyBytes > pauseAboveBytes) body.pause();
    signalReader();
  });
  body.on("end", () => {
    ended = true;
    signalReader();
  });
  body.on("error", (error) => {
    failure ??= { error };
    signalReader();
  });
  body.on("close", () => {
    if (!ended) failure ??= { error: new Error("the connection closed before the body's end") };
    signalReader();
  });
  try {
    for (;;) {
      // What arrived before a failure is still good: a resume continues after it.
      const batch = ready.splice(0);
      readyBytes = 0;
      if (batch.length === 0) {
        if (failure !== undefined) throw failure.error;
        if (ended) return;
        if (body.isPaused()) body.resume();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      yield* batch;
    }
  } finally {
    body.destroy();
  }
}
