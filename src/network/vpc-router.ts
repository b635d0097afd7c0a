import { AgentError, errnoOf } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import { hostNetns, type LinkInfo } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import type { EniBinding } from "./plan-eni.ts";
import {
  planHostLink,
  planRouterLink,
  planRouterRoutes,
  planRouterRules,
  planRouterSysctls,
} from "./plan-vpc-router.ts";
import type { VpcGroups } from "./security-groups.ts";
import { gatewayLink, type VpcRouterSpec } from "./vpc-router-spec.ts";

/**
 * Makes a router, or brings one that exists in line with its plan; what passes through it meanwhile is not disturbed.
 * The router's record must exist already: it proves that a namespace without marks of ownership is our own, half made.
 * @param bindings of all ENIs that hold addresses of the VPC
 * @param groups in force in the VPC
 * @throws SystemError, AgentError FailedPrecondition
 */
export async function ensureRouter(
  kernel: KernelWorker,
  router: VpcRouterSpec,
  bindings: readonly EniBinding[],
  groups: VpcGroups,
): Promise<void> {
  if (!(await kernel.inspectPins([router.netns])).has(router.netns)) {
    await kernel.run([
      { kind: "removePins", paths: [router.netns] },
      { kind: "createNamespaces", pins: { net: router.netns }, hostname: "" },
    ]);
  }
  failpoint("net.router-namespace");
  await kernel.run([{ kind: "hold", netns: router.netns }, ...planRouterSysctls(router)]);
  await ensureLink(kernel, router);
  failpoint("net.router-link");
  await kernel.run(planRouterRules(router, bindings, groups));
  failpoint("net.router-rules");
  await kernel.run([...planRouterRoutes(router), ...planHostLink(router)]);
  failpoint("net.router-routes");
}

/** Takes a router and its link away; half gone or gone already is done. @throws SystemError */
export async function removeRouter(kernel: KernelWorker, router: VpcRouterSpec): Promise<void> {
  await kernel.run([
    {
      kind: "links",
      netns: hostNetns,
      requests: [{ kind: "deleteLink", link: router.hostLink }],
      ignore: ["ENODEV"],
    },
  ]);
  failpoint("net.router-unlinked");
  await kernel.run([{ kind: "removePins", paths: [router.netns] }]);
}

async function ensureLink(kernel: KernelWorker, router: VpcRouterSpec): Promise<void> {
  const outside = (await kernel.listLinks(hostNetns)).find(({ name }) => name === router.hostLink);
  const inside = (await kernel.listLinks(router.netns)).find(({ name }) => name === gatewayLink);
  refuseStranger(router, router.hostLink, outside);
  refuseStranger(router, gatewayLink, inside);
  const whole =
    outside?.alias === router.alias &&
    inside?.alias === router.alias &&
    outside.peerIndex === inside.index &&
    inside.peerIndex === outside.index;
  if (whole) return;
  await deleteIfThere(kernel, hostNetns, outside);
  await deleteIfThere(kernel, router.netns, inside);
  await kernel.run(planRouterLink(router));
}

/** A crash between making and marking leaves a link without alias; one with another alias is somebody else's. */
function refuseStranger(router: VpcRouterSpec, name: string, link: LinkInfo | undefined): void {
  if (link === undefined || link.alias === "" || link.alias === router.alias) return;
  throw new AgentError(
    "FailedPrecondition",
    `Cannot make the router of VPC "${router.vpc.id}": link "${name}" belongs to "${link.alias}", not to "${router.alias}"`,
  );
}

async function deleteIfThere(kernel: KernelWorker, netns: string, link: LinkInfo | undefined): Promise<void> {
  if (link === undefined) return;
  try {
    await kernel.run([{ kind: "links", netns, requests: [{ kind: "deleteLink", link: link.name }] }]);
  } catch (error) {
    // The other end of a pair goes with the first.
    if (errnoOf(error) !== "ENODEV") throw error;
  }
}
