import { errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import type { NodeManifests } from "../manifests/node-manifests.ts";
import type { KernelCommand } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import type { EniBinding } from "./plan-eni.ts";
import { groupChains, groupSets } from "./plan-group-rules.ts";
import { groupLists, planGroups, planGroupsRemoval, planRouterRules } from "./plan-vpc-router.ts";
import { groupsOfVpc, type VpcGroups } from "./security-groups.ts";
import type { NetworkConfig } from "./vpc-config.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

export interface GroupRulesDeps {
  readonly config: NetworkConfig;
  readonly manifests: () => NodeManifests;
  readonly kernel: KernelWorker;
  readonly log: Log;
  /** The routers that stand. */
  readonly routers: () => readonly VpcRouterSpec[];
  /** The interfaces of a VPC, as they are now. */
  readonly bindings: (vpcId: string) => readonly EniBinding[];
}

/** What a router has of groups. */
interface RouterState {
  /** By the name of a chain. */
  readonly lists: Map<string, GroupList>;
  /** What was declared when it got its rules. */
  readonly declared: string;
}

/** A list of groups that interfaces have, and the sets its chains look into. */
interface GroupList {
  readonly ids: readonly string[];
  readonly sets: readonly string[];
}

const retryMs = 5_000;

/** Keeps the routers' rules in line with the declared security groups while pods come and go. */
export class GroupRules implements AsyncDisposable {
  readonly #deps: GroupRulesDeps;
  /** Of each VPC the lists of groups whose chains its router has, and what was declared when it got them all. */
  readonly #routers = new Map<string, RouterState>();
  #working: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: GroupRulesDeps) {
    this.#deps = deps;
  }

  /** What is declared for a VPC now. */
  inForce(vpcId: string): VpcGroups {
    return groupsOfVpc(this.#deps.config, this.#deps.manifests(), vpcId);
  }

  /** Told that a router has got all its rules anew, with the groups of these bindings. */
  noteRules({ vpc }: VpcRouterSpec, bindings: readonly EniBinding[], groups: VpcGroups): void {
    this.#routers.set(vpc.id, {
      lists: new Map(
        groupLists(bindings).map((ids) => [groupChains(ids).egress, { ids, sets: groupSets(ids, groups) }]),
      ),
      declared: declaration(groups),
    });
  }

  /**
   * Gives an interface its rules, and the router those of its groups where they are missing. What is declared is read in
   * the same turn in which the kernel worker gets its commands: no change can come between.
   */
  async add(router: VpcRouterSpec, { groups }: EniBinding, rules: readonly KernelCommand[]): Promise<void> {
    const { vpc } = router;
    const key = groupChains(groups).egress;
    if (this.#routers.get(vpc.id)?.lists.has(key)) {
      await this.#deps.kernel.run(rules);
      return;
    }
    const inForce = this.inForce(vpc.id);
    const before = this.#routers.get(vpc.id);
    await this.#deps.kernel.run([...planGroups(router, groups, inForce), ...rules]);
    // After a change of all rules meanwhile, its list is known already.
    if (before === this.#routers.get(vpc.id)) before?.lists.set(key, { ids: groups, sets: groupSets(groups, inForce) });
  }

  /** Takes away what routers have for lists of groups that no interface has any more. Never rejects. */
  async tidy(): Promise<void> {
    for (const router of this.#deps.routers()) {
      const lists = this.#routers.get(router.vpc.id)?.lists ?? new Map<string, GroupList>();
      const used = new Set(groupLists(this.#deps.bindings(router.vpc.id)).map((ids) => groupChains(ids).egress));
      const idle = [...lists].filter(([key]) => !used.has(key));
      if (idle.length === 0) continue;
      for (const [key] of idle) lists.delete(key);
      const needed = new Set([...lists.values()].flatMap(({ sets }) => sets));
      const sets = new Set(idle.flatMap(([, list]) => list.sets).filter((set) => !needed.has(set)));
      const commands = planGroupsRemoval(
        router,
        idle.map(([, { ids }]) => ids),
        [...sets],
      );
      try {
        await this.#deps.kernel.run(commands);
      } catch (error) {
        // They are in nobody's way, and go with the next change.
        this.#deps.log.warn({ vpc: router.vpc.id, error: errorText(error) }, "rules of unused security groups stay");
      }
    }
  }

  /** Brings every router in line with what is declared now. Never rejects: what fails is tried again. */
  refresh(): Promise<void> {
    this.#working = this.#working.then(async () => {
      if (this.#closed) return;
      try {
        for (const router of this.#deps.routers()) await this.#renew(router);
      } catch (error) {
        this.#deps.log.error({ error: errorText(error) }, "security groups could not be changed; the old rules hold");
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          void this.refresh();
        }, retryMs).unref();
      }
    });
    return this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  async #renew(router: VpcRouterSpec): Promise<void> {
    const { kernel, log } = this.#deps;
    const groups = this.inForce(router.vpc.id);
    if (this.#routers.get(router.vpc.id)?.declared === declaration(groups)) return;
    const bindings = this.#deps.bindings(router.vpc.id);
    const before = this.#routers.get(router.vpc.id);
    // Known from the turn on in which the worker gets them: what is asked of it later finds them there.
    this.noteRules(router, bindings, groups);
    try {
      await kernel.run(planRouterRules(router, bindings, groups));
    } catch (error) {
      if (before !== undefined) this.#routers.set(router.vpc.id, before);
      throw error;
    }
    const gone = new Set(bindings.flatMap(({ groups: ids }) => ids).filter((id) => !groups.has(id)));
    log.info({ vpc: router.vpc.id, groups: [...groups.keys()] }, "security groups are in force");
    if (gone.size > 0) {
      log.warn(
        { vpc: router.vpc.id, groups: [...gone] },
        "pods are in security groups that are gone, which allow nothing",
      );
    }
  }
}

function declaration(groups: VpcGroups): string {
  return JSON.stringify([...groups.values()]);
}
