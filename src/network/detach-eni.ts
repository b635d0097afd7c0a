import { errnoOf } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import type { EniRecord } from "./eni-record.ts";
import { planEniCut } from "./plan-eni.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

/**
 * Cuts an ENI off from its VPC. Its link, and the connections it had, stay for the reaper; its addresses must not be
 * given to another before that.
 * @throws SystemError when it may not be cut off; a router that is gone has cut it off already
 */
export async function detachEni(
  kernel: KernelWorker,
  router: VpcRouterSpec,
  instance: string,
  eni: EniRecord,
): Promise<void> {
  try {
    await kernel.run(planEniCut(router, instance, eni));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || (await kernel.inspectPins([router.netns])).has(router.netns)) throw error;
  }
  failpoint("net.eni-cut");
}
