import { parentPort } from "node:worker_threads";
import { errnoOf, errorText } from "../common/errors.ts";
import type { KernelCommand, KernelQuery } from "./kernel-command.ts";
import { KernelExecutor } from "./kernel-executor.ts";

/**
 * The thread that changes namespaces. Requests are carried out one after another, each as a whole; nothing here waits
 * for anything but the kernel.
 */

/** What the main thread sends. */
export type KernelRequest =
  | { readonly id: number; readonly run: readonly KernelCommand[] }
  | { readonly id: number; readonly query: KernelQuery }
  | { readonly id: number; readonly close: true };

/** What it gets back. */
export type KernelAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly errno: string | undefined } };

const executor = new KernelExecutor();

parentPort?.on("message", (request: KernelRequest) => parentPort?.postMessage(answer(request)));

function answer(request: KernelRequest): KernelAnswer {
  try {
    return { id: request.id, result: carryOut(request) };
  } catch (error) {
    return { id: request.id, error: { message: errorText(error), errno: errnoOf(error) } };
  }
}

function carryOut(request: KernelRequest): unknown {
  if ("run" in request) return executor.run(request.run);
  if ("query" in request) return executor.query(request.query);
  return executor.close();
}
