import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { AgentError } from "../../src/common/errors.ts";
import type { IpamRandom } from "../../src/network/address-pool.ts";
import { Ipam, type IpamOptions } from "../../src/network/ipam.ts";
import type { AddressWishes, FixedIp } from "../../src/network/plan-address-wishes.ts";
import { parseNetworkConfig } from "../../src/network/vpc-config.ts";
import { Database } from "../../src/state/database.ts";

const { vswitches } = parseNetworkConfig({
  vpcs: [{ id: "v", cidr: "10.0.0.0/16", ipv6Cidr: "fd00::/56", natGateway: false }],
  vswitches: [
    { id: "a", vpc: "v", zone: "z", cidr: "10.0.0.0/28", ipv6Cidr: "fd00::/64" },
    { id: "b", vpc: "v", zone: "z", cidr: "10.0.1.0/28", ipv6Cidr: "" },
  ],
});
const order = ["a", "b"];
const usable = 24;
const directory = mkdtempSync(join(tmpdir(), "podling-ipam-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function openDatabase(): Database {
  const database = Database.open(join(directory, `${files++}.db`));
  // The model runs thousands of commits; power loss is not what it is about.
  database.run("PRAGMA synchronous = OFF");
  return database;
}

function seeded(seed: number) {
  let state = BigInt(seed) + 1n;
  const next = () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return state;
  };
  return { below: (bound: number) => Number((next() >> 33n) % BigInt(bound)), interfaceId: next };
}

const nothing = () => undefined;
const anything: AddressWishes = { ipv4: undefined, ipv6: "where there is a range", fixed: undefined };

function openIpam(
  database: Database,
  random: IpamRandom,
  nowMs = 0,
  held: IpamOptions["held"] = [],
  of: IpamOptions["vswitches"] = vswitches,
): Ipam {
  return new Ipam({ database, vswitches: of, held, random, nowMs, ownerName: (eni) => `the pod of ${eni}` });
}

describe("Ipam", () => {
  test("goes to the next vSwitch when one is full, and names each reason when all are", () => {
    using database = openDatabase();
    const ipam = openIpam(database, seeded(1));
    const got = Array.from(
      { length: usable },
      (_, index) => ipam.allocate(order, anything, `eni-${index}`, 0, nothing).addresses,
    );
    expect(got.filter(({ vswitchId }) => vswitchId === "a")).toHaveLength(12);
    expect(got.filter(({ ipv6 }) => ipv6 !== undefined)).toHaveLength(12);
    expect(() => ipam.allocate(order, anything, "one-more", 0, nothing)).toThrow(
      'Cannot allocate an address: vSwitch "a" (10.0.0.0/28) is full: of 12 addresses 12 are used and 0 released less ' +
        'than 5 s ago; vSwitch "b" (10.0.1.0/28) is full: of 12 addresses 12 are used and 0 released less than 5 s ago',
    );
  });

  test("an address rests 30 s, and 5 s when nothing else is left", () => {
    using database = openDatabase();
    const ipam = openIpam(database, seeded(2));
    const first = ipam.allocate(["b"], anything, "eni-0", 0, nothing).addresses;
    ipam.release("eni-0", undefined, 1000, nothing);
    for (let index = 1; index < 12; index++) {
      expect(ipam.allocate(["b"], anything, `eni-${index}`, 2000, nothing).addresses.ipv4).not.toBe(first.ipv4);
    }
    expect(ipam.usage(2000)[1]).toEqual({
      vswitchId: "b",
      total: 12,
      used: 11,
      cooling: 1,
      held: 0,
      reserved: 0,
      free: 0,
    });
    expect(() => ipam.allocate(["b"], anything, "eni-x", 5999, nothing)).toThrow("released less than 5 s ago");
    expect(ipam.allocate(["b"], anything, "eni-x", 6000, nothing).addresses.ipv4).toBe(first.ipv4);
  });

  test("a vSwitch that was renamed does not give its pods' addresses away", () => {
    using database = openDatabase();
    const held = Array.from({ length: 11 }, (_, index) => ({
      vpcId: "v",
      vswitchId: "old-name",
      ipv4: `10.0.1.${index + 1}`,
      ipv6: undefined,
    }));
    const ipam = openIpam(database, seeded(4), 0, held);
    expect(ipam.allocate(["b"], anything, "eni-1", 0, nothing).addresses.ipv4).toBe("10.0.1.12");
    expect(() => ipam.allocate(["b"], anything, "eni-2", 0, nothing)).toThrow("is full");
  });

  test("every free address is equally likely", () => {
    using database = openDatabase();
    const counts = new Map<string, number>();
    const ipam = openIpam(database, seeded(3));
    for (let round = 0; round < 2400; round++) {
      const nowMs = round * 40_000;
      const { ipv4 } = ipam.allocate(["b"], anything, "eni", nowMs, nothing).addresses;
      ipam.release("eni", undefined, nowMs, nothing);
      counts.set(ipv4, (counts.get(ipv4) ?? 0) + 1);
    }
    expect(counts.size).toBe(12);
    // 200 expected each; six standard deviations are 81.
    expect(Math.min(...counts.values())).toBeGreaterThan(119);
    expect(Math.max(...counts.values())).toBeLessThan(281);
  });

  test("the table refuses a second owner even when the cache is wrong", () => {
    using database = openDatabase();
    const zero = { below: () => 0, interfaceId: () => 77n };
    const ipam = openIpam(database, zero);
    const stale = openIpam(database, zero);
    ipam.allocate(["b"], anything, "eni-1", 0, nothing);
    expect(() => stale.allocate(["b"], anything, "eni-2", 0, nothing)).toThrow(/UNIQUE/);
    expect(stale.allocate(["b"], anything, "eni-2", 0, nothing).addresses.ipv4).toBe("10.0.1.2");
  });

  const fixed: FixedIp = { key: '["c","ns","db-0"]', retainMs: 3_600_000 };
  const wished = (wishes: Partial<AddressWishes>): AddressWishes => ({ ...anything, ...wishes });

  test("a fixed address is held for its key, with its IPv6 address, and for nobody else until it runs out", () => {
    using database = openDatabase();
    const ipam = openIpam(database, seeded(5));
    const { addresses } = ipam.allocate(["a"], wished({ fixed }), "eni-0", 0, nothing);
    ipam.release("eni-0", fixed, 1000, nothing);
    const later = openIpam(database, seeded(6), 2000);
    for (let index = 1; index < 12; index++) later.allocate(["a"], anything, `eni-${index}`, 600_000, nothing);
    expect(later.usage(600_000)[0]).toMatchObject({ used: 11, cooling: 0, held: 1, free: 0 });
    expect(() => later.allocate(["a"], anything, "eni-x", 600_000, nothing)).toThrow("1 held for pods to come");
    expect(later.allocate(order, wished({ fixed }), "eni-y", 600_000, nothing).addresses).toEqual(addresses);
    later.release("eni-y", fixed, 700_000, nothing);
    expect(later.allocate(["a"], anything, "eni-z", 700_000 + fixed.retainMs, nothing).addresses.ipv4).toBe(
      addresses.ipv4,
    );
  });

  test("the next pod of a fixed address waits for the end of the one before, and must stay in its vSwitch", () => {
    using database = openDatabase();
    const ipam = openIpam(database, seeded(7));
    const { ipv4 } = ipam.allocate(["a"], wished({ fixed }), "eni-0", 0, nothing).addresses;
    expect(() => ipam.allocate(["a"], wished({ fixed }), "eni-1", 0, nothing)).toThrow(
      `The fixed address "${ipv4}" is still in use by the pod of eni-0`,
    );
    ipam.release("eni-0", fixed, 0, nothing);
    expect(() => ipam.allocate(["b"], wished({ fixed }), "eni-1", 0, nothing)).toThrow('is of vSwitch "a"');
    expect(() => ipam.allocate(["a"], wished({ fixed, ipv4: "10.0.0.99" }), "eni-1", 0, nothing)).toThrow(ipv4);
  });

  test("an address that is asked for is given, and the refusal says who has it or why it can't be had", () => {
    using database = openDatabase();
    const { vswitches: narrowed } = parseNetworkConfig({
      vpcs: [{ id: "v", cidr: "10.0.0.0/16", ipv6Cidr: "", natGateway: false }],
      vswitches: [
        {
          id: "a",
          vpc: "v",
          zone: "z",
          cidr: "10.0.0.0/28",
          ipv6Cidr: "",
          reserved: ["10.0.0.8/31", "10.0.0.4-10.0.0.5"],
        },
      ],
    });
    const ipam = openIpam(database, seeded(8), 0, [], narrowed);
    const ask = (ipv4: string, nowMs = 0) => ipam.allocate(["a"], wished({ ipv4 }), `eni-${ipv4}`, nowMs, nothing);
    expect(ask("10.0.0.7").addresses).toEqual({ vswitchId: "a", ipv4: "10.0.0.7", ipv6: undefined });
    expect(() => ask("10.0.0.7")).toThrow('"10.0.0.7" is in use by the pod of eni-10.0.0.7');
    for (const [address, words] of [
      ["10.0.0.0", "first and last three addresses are reserved"],
      ["10.0.0.13", "first and last three addresses are reserved"],
      ["10.0.1.1", 'must be in "a" (10.0.0.0/28)'],
      ["10.0.0.9", "outside 10.0.0.8/31, which is reserved"],
      ["10.0.0.5", "outside 10.0.0.4-10.0.0.5, which is reserved"],
    ] as const) {
      expect(() => ask(address), address).toThrow(words);
    }
    ipam.release("eni-10.0.0.7", fixed, 0, nothing);
    expect(() => ask("10.0.0.7")).toThrow("until 1970-01-01T01:00:00.000Z");
    expect(ask("10.0.0.3").addresses.ipv4).toBe("10.0.0.3");
    ipam.release("eni-10.0.0.3", undefined, 1000, nothing);
    expect(() => ask("10.0.0.3", 5999)).toThrow("released less than 5 s ago");
    expect(ask("10.0.0.3", 6000).addresses.ipv4).toBe("10.0.0.3");
    expect(ipam.usage(6000)).toEqual([
      { vswitchId: "a", total: 12, used: 1, cooling: 0, held: 1, reserved: 4, free: 6 },
    ]);
  });

  test("IPv6 can be refused", () => {
    using database = openDatabase();
    const ipam = openIpam(database, seeded(9));
    expect(ipam.allocate(["a"], wished({ ipv6: "refused" }), "eni-0", 0, nothing).addresses.ipv6).toBeUndefined();
  });

  // 120 steps a run at the most: PODLING_MODEL_RUNS=5000 makes more than 100,000 operations.
  const modelRuns = Number(process.env["PODLING_MODEL_RUNS"] ?? 60);

  test("model: no address twice, none while it rests or is held, counts agree, across crashes at any commit", () => {
    const failing = fc.boolean();
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("allocate" as const), failing, key: fc.nat(12) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("ask" as const), failing, which: fc.nat(15) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("release" as const), which: fc.nat(), failing }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(20_000) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(), (steps, seed) => {
        using database = openDatabase();
        const model = new AddressModel(database, seeded(seed));
        for (const action of steps) model.step(action);
      }),
      { numRuns: modelRuns },
    );
  });
});

type ModelStep =
  | { readonly kind: "allocate"; readonly failing: boolean; readonly key: number }
  | { readonly kind: "ask"; readonly failing: boolean; readonly which: number }
  | { readonly kind: "release"; readonly failing: boolean; readonly which: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "crash" };

/** What must hold of addresses, kept beside the allocator in the simplest way: one map an address. */
class AddressModel {
  readonly #database: Database;
  readonly #random: IpamRandom;
  readonly #used = new Map<string, { readonly eni: string; readonly fixed: FixedIp | undefined }>();
  readonly #restingSince = new Map<string, number>();
  readonly #held = new Map<string, { readonly key: string; readonly untilMs: number }>();
  #ipam: Ipam;
  #nowMs = 1_000_000;
  #enis = 0;

  constructor(database: Database, random: IpamRandom) {
    this.#database = database;
    this.#random = random;
    this.#ipam = openIpam(database, random, this.#nowMs);
  }

  step(action: ModelStep): void {
    if (action.kind === "wait") this.#nowMs += action.ms;
    if (action.kind === "crash") this.#ipam = openIpam(this.#database, this.#random, this.#nowMs);
    // Four keys in thirteen: most pods have no fixed address.
    if (action.kind === "allocate" && action.key < 4) this.#allocateFixed(`key-${action.key}`, action.failing);
    else if (action.kind === "allocate") this.#allocate(action.failing);
    if (action.kind === "ask") this.#ask(`10.0.0.${action.which}`, action.failing);
    if (action.kind === "release") this.#release(action.which, action.failing);
    this.#countsAgree();
  }

  /** The caller's part of the transaction fails half of the time: then nothing may have happened. */
  #record(failing: boolean): () => void {
    return () => {
      if (failing) throw new Error("disk full");
    };
  }

  #allocate(failing: boolean): void {
    const eni = `eni-${this.#enis++}`;
    const resting = [...this.#restingSince.values()].filter((since) => this.#nowMs - since < 5000).length;
    const free = usable - this.#used.size - resting - this.#heldNow().size;
    const got = attempt(() => this.#ipam.allocate(order, anything, eni, this.#nowMs, this.#record(failing)));
    if (got === "full") expect(free).toBe(0);
    else if (got !== "failed" && got !== "refused") this.#take(got.addresses.ipv4, eni, undefined);
  }

  #allocateFixed(key: string, failing: boolean): void {
    const eni = `eni-${this.#enis++}`;
    const wishes: FixedIp = { key: JSON.stringify(["c", "ns", key]), retainMs: 50_000 };
    const kept = [...this.#heldNow()].find(([, held]) => held.key === wishes.key)?.[0];
    const busy = [...this.#used.values()].some(({ fixed }) => fixed?.key === wishes.key);
    const got = attempt(() =>
      this.#ipam.allocate(order, { ...anything, fixed: wishes }, eni, this.#nowMs, this.#record(failing)),
    );
    if (busy) expect(got).toBe("refused");
    if (got === "full" || got === "failed" || got === "refused") return;
    if (kept !== undefined) expect(got.addresses.ipv4).toBe(kept);
    if (kept !== undefined) this.#held.delete(kept);
    this.#take(got.addresses.ipv4, eni, wishes);
  }

  #ask(address: string, failing: boolean): void {
    const eni = `eni-${this.#enis++}`;
    const got = attempt(() =>
      this.#ipam.allocate(order, { ...anything, ipv4: address }, eni, this.#nowMs, this.#record(failing)),
    );
    if (got !== "full" && got !== "failed" && got !== "refused") {
      expect(got.addresses.ipv4).toBe(address);
      this.#take(address, eni, undefined);
    }
  }

  #release(which: number, failing: boolean): void {
    if (this.#used.size === 0) return;
    const [address, owner] = [...this.#used][which % this.#used.size] ?? [];
    if (address === undefined || owner === undefined) return;
    const got = attempt(() => this.#ipam.release(owner.eni, owner.fixed, this.#nowMs, this.#record(failing)));
    if (got === "failed") return;
    this.#used.delete(address);
    if (owner.fixed === undefined) this.#restingSince.set(address, this.#nowMs);
    else this.#held.set(address, { key: owner.fixed.key, untilMs: this.#nowMs + owner.fixed.retainMs });
  }

  #take(address: string, eni: string, fixed: FixedIp | undefined): void {
    expect(this.#used.has(address)).toBe(false);
    expect(this.#heldNow().has(address)).toBe(false);
    expect(this.#nowMs - (this.#restingSince.get(address) ?? 0)).toBeGreaterThanOrEqual(5000);
    this.#restingSince.delete(address);
    this.#held.delete(address);
    this.#used.set(address, { eni, fixed });
  }

  #heldNow(): ReadonlyMap<string, { readonly key: string }> {
    return new Map([...this.#held].filter(([, { untilMs }]) => untilMs > this.#nowMs));
  }

  #countsAgree(): void {
    const cooling = [...this.#restingSince.values()].filter((since) => this.#nowMs - since < 30_000).length;
    const held = this.#heldNow().size;
    const usage = this.#ipam.usage(this.#nowMs);
    const total = (key: "used" | "cooling" | "held" | "free") => usage.reduce((sum, vswitch) => sum + vswitch[key], 0);
    expect([total("used"), total("cooling"), total("held"), total("free")]).toEqual([
      this.#used.size,
      cooling,
      held,
      usable - this.#used.size - cooling - held,
    ]);
  }
}

function attempt<Result>(work: () => Result): Result | "failed" | "full" | "refused" {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && error.message === "disk full") return "failed";
    if (error instanceof Error && error.message.includes("is full")) return "full";
    if (error instanceof AgentError) return "refused";
    throw error;
  }
}
