import { AgentError } from "../common/errors.ts";
import { formatIp, readIp } from "../common/ip-address.ts";
import type { Database } from "../state/database.ts";
import { AddressBitmap } from "./address-bitmap.ts";
import { cidrAddress, cidrOffset, formatCidr } from "./cidr.ts";
import { planRangeLayout, type RangeLayout } from "./plan-vswitch-layout.ts";
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

/** Addresses in use, whatever the vSwitch they came from is called now. */
export interface HeldAddresses {
  readonly vpcId: string;
  readonly vswitchId: string;
  readonly ipv4: string;
  readonly ipv6: string | undefined;
}

export interface VswitchUsage {
  readonly vswitchId: string;
  /** IPv4 addresses pods may get. */
  readonly total: number;
  readonly used: number;
  readonly cooling: number;
  readonly free: number;
}

/** Sources of chance, so that tests can decide it. */
export interface IpamRandom {
  /** A uniform integer in 0 … `bound` − 1. */
  below(bound: number): number;
  /** 64 uniform bits. */
  interfaceId(): bigint;
}

interface Cooling {
  readonly address: string;
  readonly freeAtMs: number;
}

/** The cache of one vSwitch; the table `addresses` is the truth. */
interface Pool {
  readonly vswitch: Vswitch;
  readonly ipv4: RangeLayout;
  readonly ipv6: RangeLayout | undefined;
  /** Taken: used or cooling. Bit 0 is the first usable address. */
  readonly bitmap: AddressBitmap;
  readonly takenIpv6: Set<string>;
  /** Oldest first. */
  readonly cooling: Cooling[];
}

/**
 * Gives out addresses, each to one ENI at a time. A change is committed before the caller may act on it, and the
 * table's primary key refuses a second owner whatever the cache believes. Chosen uniformly among the free ones.
 */
export class Ipam {
  readonly #database: Database;
  readonly #random: IpamRandom;
  readonly #held: readonly HeldAddresses[];
  readonly #pools = new Map<string, Pool>();

  /**
   * Loads the cache from the table.
   * @param held what living ENIs have: a vSwitch that was renamed must not give their addresses away under its new name
   */
  constructor(
    database: Database,
    vswitches: readonly Vswitch[],
    held: readonly HeldAddresses[],
    random: IpamRandom,
    nowMs: number,
  ) {
    this.#database = database;
    this.#held = held;
    this.#random = random;
    database.run("DELETE FROM addresses WHERE state = 'cooling' AND free_at <= ?", nowMs);
    for (const vswitch of vswitches) this.#load(vswitch, nowMs);
  }

  /**
   * Takes an IPv4 address, and an IPv6 address where the vSwitch has a range, from the first vSwitch that has any left.
   * @param record writes what else must commit together with the addresses
   * @throws AgentError NoAddressLeft with the reason of each vSwitch
   */
  allocate(
    vswitchIds: readonly string[],
    eniId: string,
    nowMs: number,
    record: (addresses: AllocatedAddresses) => void,
  ): AllocatedAddresses {
    const reasons: string[] = [];
    for (const id of vswitchIds) {
      const pool = this.#pools.get(id);
      const got = pool === undefined ? `vSwitch "${id}" is not configured` : this.#take(pool, eniId, nowMs, record);
      if (typeof got !== "string") return got;
      reasons.push(got);
    }
    throw new AgentError("NoAddressLeft", `Cannot allocate an address: ${reasons.join("; ")}`);
  }

  /**
   * Lets an ENI's addresses cool down; an ENI without addresses is done already.
   * @param record writes what else must commit together with it
   */
  release(eniId: string, nowMs: number, record: () => void): void {
    const freeAtMs = nowMs + coolingMs;
    const rows = this.#database.transaction(() => {
      const used = this.#database.all(
        "SELECT vswitch, address FROM addresses WHERE eni = ? AND state = 'used' ORDER BY address",
        eniId,
      );
      this.#database.run(
        "UPDATE addresses SET state = 'cooling', free_at = ? WHERE eni = ? AND state = 'used'",
        freeAtMs,
        eniId,
      );
      record();
      return used;
    });
    for (const row of rows) {
      this.#pools.get(String(row["vswitch"]))?.cooling.push({ address: String(row["address"]), freeAtMs });
    }
  }

  /** ENIs that hold addresses but have no record: impossible unless somebody edited the file. */
  strayEnis(): readonly string[] {
    return this.#database
      .all("SELECT DISTINCT eni FROM addresses WHERE state = 'used' AND eni NOT IN (SELECT id FROM enis)")
      .map((row) => String(row["eni"]));
  }

  /** How full each vSwitch is. */
  usage(nowMs: number): readonly VswitchUsage[] {
    return Array.from(this.#pools.values(), (pool) => {
      const resting = pool.cooling.filter(({ address }) => !address.includes(":"));
      const cooling = resting.filter(({ freeAtMs }) => freeAtMs > nowMs).length;
      const free = pool.bitmap.free + resting.length - cooling;
      return {
        vswitchId: pool.vswitch.id,
        total: pool.bitmap.size,
        used: pool.bitmap.size - pool.bitmap.free - resting.length,
        cooling,
        free,
      };
    });
  }

  /** @returns the addresses, or why there are none */
  #take(
    pool: Pool,
    eniId: string,
    nowMs: number,
    record: (addresses: AllocatedAddresses) => void,
  ): AllocatedAddresses | string {
    try {
      return this.#database.transaction(() => {
        this.#forgetRested(pool, nowMs);
        if (pool.bitmap.free === 0 && !this.#hurryOldest(pool, nowMs)) return fullReason(pool);
        const addresses = this.#pick(pool);
        for (const address of [addresses.ipv4, addresses.ipv6]) {
          if (address === undefined) continue;
          this.#database.run(
            "INSERT INTO addresses (vswitch, address, eni, state) VALUES (?, ?, ?, 'used')",
            pool.vswitch.id,
            address,
            eniId,
          );
        }
        record(addresses);
        return addresses;
      });
    } catch (error) {
      // The cache ran ahead of a transaction that did not happen.
      this.#load(pool.vswitch, nowMs);
      throw error;
    }
  }

  #pick(pool: Pool): AllocatedAddresses {
    const index = pool.bitmap.selectFree(this.#random.below(pool.bitmap.free));
    pool.bitmap.take(index);
    const ipv4 = formatIp(cidrAddress(pool.ipv4.cidr, pool.ipv4.firstUsable + BigInt(index)));
    const ipv6 = pool.ipv6 === undefined ? undefined : this.#pickIpv6(pool.ipv6, pool.takenIpv6);
    if (ipv6 !== undefined) pool.takenIpv6.add(ipv6);
    return { vswitchId: pool.vswitch.id, ipv4, ipv6 };
  }

  /** Two of 2^64 hardly ever meet, so trying again is enough. */
  #pickIpv6(layout: RangeLayout, taken: ReadonlySet<string>): string {
    for (;;) {
      const offset = this.#random.interfaceId();
      if (offset < layout.firstUsable || offset >= layout.firstUsable + layout.usable) continue;
      const address = formatIp(cidrAddress(layout.cidr, offset));
      if (!taken.has(address)) return address;
    }
  }

  #forgetRested(pool: Pool, nowMs: number): void {
    for (let oldest = pool.cooling[0]; oldest !== undefined && oldest.freeAtMs <= nowMs; oldest = pool.cooling[0]) {
      pool.cooling.shift();
      this.#free(pool, oldest.address);
    }
  }

  /** Frees the address that has rested longest, if that was long enough for need. */
  #hurryOldest(pool: Pool, nowMs: number): boolean {
    const position = pool.cooling.findIndex(({ address }) => !address.includes(":"));
    const oldest = pool.cooling[position];
    if (oldest === undefined || oldest.freeAtMs - coolingMs + coolingFloorMs > nowMs) return false;
    pool.cooling.splice(position, 1);
    this.#free(pool, oldest.address);
    return true;
  }

  #free(pool: Pool, address: string): void {
    this.#database.run("DELETE FROM addresses WHERE vswitch = ? AND address = ?", pool.vswitch.id, address);
    const index = ipv4Index(pool, address);
    if (index !== undefined) pool.bitmap.release(index);
    pool.takenIpv6.delete(address);
  }

  #load(vswitch: Vswitch, nowMs: number): void {
    const ipv4 = planRangeLayout(vswitch.cidr);
    const pool: Pool = {
      vswitch,
      ipv4,
      ipv6: vswitch.ipv6Cidr === undefined ? undefined : planRangeLayout(vswitch.ipv6Cidr),
      bitmap: new AddressBitmap(Number(ipv4.usable)),
      takenIpv6: new Set(),
      cooling: [],
    };
    const rows = this.#database.all(
      "SELECT address, state, free_at FROM addresses WHERE vswitch = ? ORDER BY free_at, address",
      vswitch.id,
    );
    for (const row of rows) {
      const address = String(row["address"]);
      const index = ipv4Index(pool, address);
      if (index !== undefined) pool.bitmap.take(index);
      if (address.includes(":")) pool.takenIpv6.add(address);
      // A clock that was set back must not make addresses rest for years.
      const freeAtMs = Math.min(Number(row["free_at"]), nowMs + coolingMs);
      if (row["state"] === "cooling") pool.cooling.push({ address, freeAtMs });
    }
    for (const held of this.#held) {
      if (held.vpcId !== vswitch.vpcId || held.vswitchId === vswitch.id) continue;
      const index = ipv4Index(pool, held.ipv4);
      if (index !== undefined) pool.bitmap.take(index);
      if (held.ipv6 !== undefined) pool.takenIpv6.add(held.ipv6);
    }
    this.#pools.set(vswitch.id, pool);
  }
}

function ipv4Index(pool: Pool, address: string): number | undefined {
  const ip = readIp(address);
  const offset = ip === undefined ? undefined : cidrOffset(pool.ipv4.cidr, ip);
  return offset === undefined ? undefined : Number(offset - pool.ipv4.firstUsable);
}

function fullReason(pool: Pool): string {
  const cooling = pool.cooling.filter(({ address }) => !address.includes(":")).length;
  const used = pool.bitmap.size - cooling;
  return (
    `vSwitch "${pool.vswitch.id}" (${formatCidr(pool.vswitch.cidr)}) is full: of ${pool.bitmap.size} addresses ` +
    `${used} are used and ${cooling} released less than ${coolingFloorMs / 1000} s ago`
  );
}
