import { failpoint } from "../common/failpoint.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import type { EniPlan } from "./plan-eni.ts";

/**
 * Carries out an ENI's plan. The record with its addresses is durable already.
 * @param bind puts the plan's rules in place
 * @param undo takes back whatever of it happened; it runs when a step fails
 * @throws SystemError of the step, suppressing nothing: a failed undo wraps it
 */
export async function attachEni(
  kernel: KernelWorker,
  plan: EniPlan,
  bind: () => Promise<void>,
  undo: () => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  stack.defer(undo);
  await kernel.run(plan.link);
  failpoint("net.eni-link");
  if (plan.shaping.length > 0) {
    await kernel.run(plan.shaping);
    failpoint("net.eni-shaping");
  }
  await bind();
  failpoint("net.eni-rules");
  await kernel.run(plan.router);
  failpoint("net.eni-router");
  await kernel.run(plan.pod);
  failpoint("net.eni-pod");
  if (plan.host.length > 0) {
    await kernel.run(plan.host);
    failpoint("net.host-ports");
  }
  stack.move();
}
