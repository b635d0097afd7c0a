import { AgentError } from "../common/errors.ts";
import type { Database, Row } from "../state/database.ts";
import { AddressPool, type IpamRandom, type PoolUsage } from "./address-pool.ts";
import { formatCidr } from "./cidr.ts";
import { type AddressWishes, type FixedIp, privateIpAnnotation } from "./plan-address-wishes.ts";
import type { LosingVswitch } from "./plan-vswitch-choice.ts";
import type { Vswitch } from "./vpc-config.ts";

/** How long an address rests after its pod: long enough for what others remember of the pod to fade. */
const coolingMs = 30_000;
/** With nothing else left, an address that has rested this long is taken: late beats never. */
const coolingFloorMs = 5_000;

/** The addresses one ENI got. */
export interface AllocatedAddresses {
  readonly vswitchId: string;
  readonly ipv4: string;
  readonly ipv6: string | undefined;
}

export interface Allocation {
  readonly addresses: AllocatedAddresses;
  /** vSwitches that come earlier in the order but had none left. */
  readonly passed: readonly LosingVswitch[];
}

/** Addresses in use, whatever the vSwitch they came from is called now. */
export interface HeldAddresses {
  readonly vpcId: string;
  readonly vswitchId: string;
  readonly ipv4: string;
  readonly ipv6: string | undefined;
}

export interface VswitchUsage extends PoolUsage {
  readonly vswitchId: string;
}

/** An address that is not free. */
export interface TakenAddress {
  readonly address: string;
  readonly vswitchId: string;
  readonly state: "used" | "held" | "cooling";
  /** The ENI that has it, or had it last. */
  readonly eniId: string;
  /** "namespace/name" of the pod it is held for. */
  readonly holder: string | undefined;
  /** undefined while it is used. */
  readonly freeAtMs: number | undefined;
}

export interface IpamOptions {
  readonly database: Database;
  readonly vswitches: readonly Vswitch[];
  /** What living ENIs have: a vSwitch that was renamed must not give their addresses away under its new name. */
  readonly held: readonly HeldAddresses[];
  readonly random: IpamRandom;
  /** Says in an error whose ENI it is. */
  readonly ownerName: (eniId: string) => string;
  readonly nowMs: number;
}

/**
 * Gives out addresses, each to one ENI at a time. A change is committed before the caller may act on it, and the
 * table's primary key refuses a second owner whatever the cache believes. Chosen uniformly among the free ones.
 *
 * ```
 *            allocate             release               30 s, or 5 s in need
 *   (no row) ────────► used ───────────────► cooling ─────────────────────────► (no row)
 *                       ▲ │ release, fixed                                         ▲
 *                       │ └────────────────► held ──────── retention over ─────────┘
 *                       └────────────────────┘ allocate by the same key
 * ```
 */
export class Ipam {
  readonly #options: Omit<IpamOptions, "nowMs">;
  readonly #database: Database;
  readonly #pools = new Map<string, AddressPool>();

  /** Loads the cache from the table. */
  constructor({ nowMs, ...options }: IpamOptions) {
    this.#options = options;
    this.#database = options.database;
    this.#database.run("DELETE FROM addresses WHERE state <> 'used' AND free_at <= ?", nowMs);
    for (const vswitch of options.vswitches) this.#load(vswitch, nowMs);
  }

  /**
   * Takes the addresses a pod wishes for from the first vSwitch that has any left.
   * @param vswitchIds in the order in which they are tried
   * @param record writes what else must commit together with the addresses
   * @throws AgentError NoAddressLeft with the reason of each vSwitch; FailedPrecondition or InvalidArgument when exactly
   *   the address that was wished for can't be had, saying who has it
   */
  allocate(
    vswitchIds: readonly string[],
    wishes: AddressWishes,
    eniId: string,
    nowMs: number,
    record: (allocation: Allocation) => void,
  ): Allocation {
    return this.#commit(nowMs, () => {
      for (const pool of this.#pools.values()) this.#forgetRested(pool, nowMs);
      const choice = this.#choose(vswitchIds, wishes, nowMs);
      for (const address of [choice.addresses.ipv4, choice.addresses.ipv6]) {
        if (address !== undefined) this.#insert(choice.addresses.vswitchId, address, eniId, wishes.fixed?.key);
      }
      record(choice);
      return choice;
    });
  }

  /**
   * Lets an ENI's addresses cool down, or holds them for the next pod of the same key; an ENI without addresses is done.
   * @param fixed as the ENI was allocated with
   * @param record writes what else must commit together with it
   */
  release(eniId: string, fixed: FixedIp | undefined, nowMs: number, record: () => void): void {
    const [state, freeAtMs] = fixed === undefined ? ["cooling", nowMs + coolingMs] : ["held", nowMs + fixed.retainMs];
    const rows = this.#database.transaction(() => {
      const used = this.#database.all(
        "SELECT vswitch, address FROM addresses WHERE eni = ? AND state = 'used' ORDER BY address",
        eniId,
      );
      this.#database.run(
        "UPDATE addresses SET state = ?, free_at = ?, holder = ? WHERE eni = ? AND state = 'used'",
        state,
        freeAtMs,
        fixed?.key ?? null,
        eniId,
      );
      record();
      return used;
    });
    for (const row of rows) {
      const pool = this.#pools.get(String(row["vswitch"]));
      const address = String(row["address"]);
      if (state === "held") pool?.held.set(address, freeAtMs);
      else pool?.cooling.push({ address, freeAtMs });
    }
  }

  /** ENIs that hold addresses but have no record: impossible unless somebody edited the file. */
  strayEnis(): readonly string[] {
    return this.#database
      .all("SELECT DISTINCT eni FROM addresses WHERE state = 'used' AND eni NOT IN (SELECT id FROM enis)")
      .map((row) => String(row["eni"]));
  }

  /** Every address that is not free, by vSwitch. */
  taken(nowMs: number): readonly TakenAddress[] {
    return this.#database
      .all("SELECT * FROM addresses WHERE state = 'used' OR free_at > ? ORDER BY vswitch, address", nowMs)
      .map((row) => ({
        address: String(row["address"]),
        vswitchId: String(row["vswitch"]),
        state: row["state"] as TakenAddress["state"],
        eniId: String(row["eni"]),
        holder: row["holder"] === null ? undefined : holderName(row).slice(1, -1),
        freeAtMs: row["free_at"] === null ? undefined : Number(row["free_at"]),
      }));
  }

  /** How full each vSwitch is. */
  usage(nowMs: number): readonly VswitchUsage[] {
    return Array.from(this.#pools.values(), (pool) => ({ vswitchId: pool.vswitch.id, ...pool.usage(nowMs) }));
  }

  /** Runs a change; when it does not commit, the cache, which ran ahead of it, is read anew. */
  #commit<Result>(nowMs: number, change: () => Result): Result {
    try {
      return this.#database.transaction(change);
    } catch (error) {
      for (const { vswitch } of [...this.#pools.values()]) this.#load(vswitch, nowMs);
      throw error;
    }
  }

  #choose(vswitchIds: readonly string[], wishes: AddressWishes, nowMs: number): Allocation {
    const kept = wishes.fixed === undefined ? undefined : this.#takeKept(vswitchIds, wishes, wishes.fixed, nowMs);
    if (kept !== undefined) return { addresses: kept, passed: [] };
    if (wishes.ipv4 !== undefined)
      return { addresses: this.#takeWanted(vswitchIds, wishes, wishes.ipv4, nowMs), passed: [] };
    const passed: LosingVswitch[] = [];
    for (const id of vswitchIds) {
      const pool = this.#pools.get(id);
      if (pool === undefined) passed.push({ vswitchId: id, reason: "is not configured" });
      else if (pool.exhausted && !this.#hurryOldest(pool, nowMs)) {
        passed.push({ vswitchId: id, reason: fullReason(pool, nowMs) });
      } else {
        return { addresses: this.#complete(pool, pool.takeRandomIpv4(this.#options.random), wishes), passed };
      }
    }
    const reasons = passed.map(({ vswitchId, reason }) => `vSwitch "${vswitchId}" ${reason}`).join("; ");
    throw new AgentError("NoAddressLeft", `Cannot allocate an address: ${reasons}`);
  }

  #complete(pool: AddressPool, ipv4: string, { ipv6 }: AddressWishes): AllocatedAddresses {
    const vswitchId = pool.vswitch.id;
    return { vswitchId, ipv4, ipv6: ipv6 === "refused" ? undefined : pool.takeRandomIpv6(this.#options.random) };
  }

  /** What is held for the key, if anything is. */
  #takeKept(
    vswitchIds: readonly string[],
    wishes: AddressWishes,
    { key }: FixedIp,
    nowMs: number,
  ): AllocatedAddresses | undefined {
    const rows = this.#database.all("SELECT vswitch, address, eni, state FROM addresses WHERE holder = ?", key);
    const user = rows.find((row) => row["state"] === "used");
    if (user !== undefined) {
      throw new AgentError(
        "Unavailable",
        `The fixed address "${user["address"]}" is still in use by ${this.#options.ownerName(String(user["eni"]))}: ` +
          "the pod before must be gone",
      );
    }
    const ipv4 = rows.map((row) => String(row["address"])).find((address) => !address.includes(":"));
    if (ipv4 === undefined) return undefined;
    const vswitchId = String(rows[0]?.["vswitch"]);
    const pool = this.#pools.get(vswitchId);
    if (pool === undefined || !vswitchIds.includes(vswitchId)) {
      throw new AgentError(
        "FailedPrecondition",
        `The pod's fixed address "${ipv4}" is of vSwitch "${vswitchId}": it must be one of the pod's (${vswitchIds.join(", ")})`,
      );
    }
    if (wishes.ipv4 !== undefined && wishes.ipv4 !== ipv4) {
      throw invalidWish(wishes.ipv4, `"${ipv4}", which is held for the pod as its fixed address`);
    }
    for (const row of rows) this.#forget(pool, String(row["address"]));
    pool.take(ipv4);
    const ipv6 = rows.map((row) => String(row["address"])).find((address) => address.includes(":"));
    if (wishes.ipv6 === "refused" || ipv6 === undefined) return this.#complete(pool, ipv4, wishes);
    pool.take(ipv6);
    this.#forgetRested(pool, nowMs);
    return { vswitchId, ipv4, ipv6 };
  }

  #takeWanted(vswitchIds: readonly string[], wishes: AddressWishes, wanted: string, nowMs: number): AllocatedAddresses {
    const pools = vswitchIds.map((id) => this.#pools.get(id)).filter((pool) => pool !== undefined);
    const pool = pools.find((candidate) => candidate.indexOf(wanted) !== undefined);
    if (pool === undefined) {
      const ranges = pools.map(({ vswitch }) => `"${vswitch.id}" (${formatCidr(vswitch.cidr)})`).join(", ");
      throw invalidWish(wanted, `in ${ranges}, whose first and last three addresses are reserved`);
    }
    const range = pool.vswitch.reserved.find((reserved) => reserved.covers(wanted));
    if (range !== undefined)
      throw invalidWish(wanted, `outside ${range.text}, which is reserved in "${pool.vswitch.id}"`);
    const [row] = this.#database.all(
      "SELECT eni, state, free_at, holder FROM addresses WHERE vswitch = ? AND address = ?",
      pool.vswitch.id,
      wanted,
    );
    if (row !== undefined) this.#freeWanted(pool, wanted, row, nowMs);
    if (!pool.take(wanted)) {
      throw new AgentError(
        "FailedPrecondition",
        `The address "${wanted}" is in use by a pod of a vSwitch that was renamed`,
      );
    }
    return this.#complete(pool, wanted, wishes);
  }

  /** Takes away what stands against giving out an address that was asked for, if that may be taken away. */
  #freeWanted(pool: AddressPool, wanted: string, row: Row, nowMs: number): void {
    const freeAtMs = Number(row["free_at"]);
    if (row["state"] === "used") {
      throw new AgentError(
        "FailedPrecondition",
        `The address "${wanted}" is in use by ${this.#options.ownerName(String(row["eni"]))}`,
      );
    }
    if (row["state"] === "held") {
      throw new AgentError(
        "FailedPrecondition",
        `The address "${wanted}" is held for pod ${holderName(row)} until ${new Date(freeAtMs).toISOString()}`,
      );
    }
    if (freeAtMs - coolingMs + coolingFloorMs > nowMs) {
      throw new AgentError(
        "NoAddressLeft",
        `The address "${wanted}" was released less than ${coolingFloorMs / 1000} s ago: it rests until then`,
      );
    }
    const position = pool.cooling.findIndex(({ address }) => address === wanted);
    if (position >= 0) pool.cooling.splice(position, 1);
    this.#forget(pool, wanted);
  }

  #insert(vswitchId: string, address: string, eniId: string, holder: string | undefined): void {
    this.#database.run(
      "INSERT INTO addresses (vswitch, address, eni, state, holder) VALUES (?, ?, ?, 'used', ?)",
      vswitchId,
      address,
      eniId,
      holder ?? null,
    );
  }

  #forgetRested(pool: AddressPool, nowMs: number): void {
    const { cooling, held } = pool;
    for (let oldest = cooling[0]; oldest !== undefined && oldest.freeAtMs <= nowMs; oldest = cooling[0]) {
      cooling.shift();
      this.#forget(pool, oldest.address);
    }
    for (const [address, freeAtMs] of held) if (freeAtMs <= nowMs) this.#forget(pool, address);
  }

  /** Frees the address that has rested longest, if that was long enough for need. */
  #hurryOldest(pool: AddressPool, nowMs: number): boolean {
    const position = pool.cooling.findIndex(({ address }) => !address.includes(":"));
    const oldest = pool.cooling[position];
    if (oldest === undefined || oldest.freeAtMs - coolingMs + coolingFloorMs > nowMs) return false;
    pool.cooling.splice(position, 1);
    this.#forget(pool, oldest.address);
    // What is reserved by now is not free.
    return !pool.exhausted;
  }

  #forget(pool: AddressPool, address: string): void {
    this.#database.run("DELETE FROM addresses WHERE vswitch = ? AND address = ?", pool.vswitch.id, address);
    pool.held.delete(address);
    pool.free(address);
  }

  #load(vswitch: Vswitch, nowMs: number): void {
    const pool = new AddressPool(vswitch);
    const rows = this.#database.all(
      "SELECT address, state, free_at FROM addresses WHERE vswitch = ? ORDER BY free_at, address",
      vswitch.id,
    );
    for (const row of rows) {
      const address = String(row["address"]);
      const freeAtMs = Number(row["free_at"]);
      pool.take(address);
      // A clock that was set back must not make addresses rest for years.
      if (row["state"] === "cooling") pool.cooling.push({ address, freeAtMs: Math.min(freeAtMs, nowMs + coolingMs) });
      if (row["state"] === "held") pool.held.set(address, freeAtMs);
    }
    for (const held of this.#options.held) {
      if (held.vpcId !== vswitch.vpcId || held.vswitchId === vswitch.id) continue;
      pool.take(held.ipv4);
      if (held.ipv6 !== undefined) pool.take(held.ipv6);
    }
    pool.reserve();
    this.#pools.set(vswitch.id, pool);
  }
}

function fullReason(pool: AddressPool, nowMs: number): string {
  const { total, used, held, reserved } = pool.usage(nowMs);
  const parts = [
    `${used} are used`,
    ...(held > 0 ? [`${held} held for pods to come`] : []),
    ...(reserved > 0 ? [`${reserved} reserved`] : []),
  ];
  return (
    `(${formatCidr(pool.vswitch.cidr)}) is full: of ${total} addresses ${parts.join(", ")} and ` +
    `${total - used - held - reserved} released less than ${coolingFloorMs / 1000} s ago`
  );
}

/** The key is cluster, namespace and name, as JSON. */
function holderName(row: Row): string {
  const [, namespace, name] = JSON.parse(String(row["holder"])) as readonly string[];
  return `"${namespace}/${name}"`;
}

function invalidWish(value: string, want: string): AgentError {
  return new AgentError(
    "InvalidArgument",
    `Invalid annotation ${privateIpAnnotation} ${JSON.stringify(value)}: must be ${want}`,
  );
}
