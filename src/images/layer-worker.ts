import { parentPort } from "node:worker_threads";
import { removeTreeNow } from "../system/remove-tree.ts";
import { fitIndexedLayer } from "./erofs/fit-indexed-layer.ts";
import { decodeFault, encodeFault, type LayerReply, type LayerRequest, type UnpackRequest } from "./layer-messages.ts";
import { unpackLayer } from "./unpack-layer.ts";

/** The body of a layer worker: one job after the other, each told by a message and answered by messages. */

const port = parentPort;
if (port === null) throw new Error("this file is a worker thread's");

/** The main thread wants a smooth number, not one message for each packet. */
const progressStepBytes = 1024 * 1024;
let running: AbortController | undefined;

port.on("message", (request: LayerRequest) => {
  if (request.kind === "abort") running?.abort(decodeFault(request.error));
  else if (request.kind === "fit") answer(() => fitIndexedLayer(request.job, request.limits));
  else void unpack(request);
});

function answer(work: () => void): void {
  try {
    work();
    reply({ kind: "done" });
  } catch (error) {
    reply({ kind: "failed", error: encodeFault(error) });
  }
}

async function unpack({ job, target }: UnpackRequest): Promise<void> {
  running = new AbortController();
  let reportedBytes = 0;
  const onProgress = (doneBytes: number) => {
    if (doneBytes - reportedBytes < progressStepBytes && doneBytes < job.sizeBytes) return;
    reportedBytes = doneBytes;
    reply({ kind: "progress", doneBytes });
  };
  try {
    reply({ kind: "done", staged: await unpackLayer(job, target, onProgress, running.signal) });
  } catch (error) {
    try {
      removeTreeNow(target.directory);
    } catch {
      // The fault of the layer matters more; what stays is removed at the next start.
    }
    reply({ kind: "failed", error: encodeFault(error) });
  } finally {
    running = undefined;
  }
}

function reply(message: LayerReply): void {
  port?.postMessage(message);
}
