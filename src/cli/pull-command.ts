import { delay } from "../common/deadline.ts";
import type { PullProgress__Output } from "../generated/podling/v1/PullProgress.ts";
import type { PullImageResponse__Output } from "../generated/runtime/v1/PullImageResponse.ts";
import type { AgentClient } from "./agent-client.ts";
import type { Credentials } from "./credentials.ts";
import { type PullStep, PullView, type ViewStream } from "./pull-view.ts";

/** How long the last steps may come after the pull's answer. */
const lastStepsMs = 500;

export interface PullOutcome {
  /** The image's id. */
  readonly id: string;
  /** "5 layers, 123 MB in 1.5 s" */
  readonly summary: string;
}

/**
 * Pulls an image and shows each layer's progress while it lasts.
 * @throws AgentError with the agent's reason
 */
export async function pullWithProgress(
  client: AgentClient,
  request: { readonly reference: string; readonly credentials?: Credentials | undefined },
  stream: ViewStream,
): Promise<PullOutcome> {
  using view = new PullView(stream);
  using watch = await watchPulls(client, request.reference, (step) => view.update(step));
  const { image_ref: id } = await client.ask<PullImageResponse__Output>((done) =>
    client.images.PullImage({ image: { image: request.reference }, auth: request.credentials ?? null }, done),
  );
  // The answer may overtake the last steps, which come on another stream.
  await Promise.race([watch.ended, delay(lastStepsMs)]);
  return { id, summary: view.summary() };
}

interface Watch extends Disposable {
  /** Resolves when the pull as a whole has ended, or the watch has. */
  readonly ended: Promise<void>;
}

/** Starts watching; the pull begins after the agent has said that it reports, so that no step is missed. */
async function watchPulls(client: AgentClient, reference: string, listener: (step: PullStep) => void): Promise<Watch> {
  const call = client.admin.WatchPulls({ reference });
  const { promise: watching, resolve } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  call.on("data", (message: PullProgress__Output) => {
    resolve();
    const step = readStep(message);
    listener(step);
    if (step.layer === "" && (step.phase === "done" || step.phase === "failed")) end();
  });
  // Progress is a courtesy: without it the pull goes on. What is wrong with the agent, the pull itself will say.
  for (const event of ["error", "end"]) {
    call.on(event, () => {
      resolve();
      end();
    });
  }
  await watching;
  return { ended, [Symbol.dispose]: () => call.cancel() };
}

function readStep(message: PullProgress__Output): PullStep {
  const { layer, phase, error } = message;
  return { layer, phase, error, doneBytes: Number(message.done_bytes), totalBytes: Number(message.total_bytes) };
}
