import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Ipam } from "../../src/network/ipam.ts";
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

describe("Ipam", () => {
  test("goes to the next vSwitch when one is full, and names each reason when all are", () => {
    using database = openDatabase();
    const ipam = new Ipam(database, vswitches, [], seeded(1), 0);
    const got = Array.from({ length: usable }, (_, index) => ipam.allocate(order, `eni-${index}`, 0, nothing));
    expect(got.filter(({ vswitchId }) => vswitchId === "a")).toHaveLength(12);
    expect(got.filter(({ ipv6 }) => ipv6 !== undefined)).toHaveLength(12);
    expect(() => ipam.allocate(order, "one-more", 0, nothing)).toThrow(
      'Cannot allocate an address: vSwitch "a" (10.0.0.0/28) is full: of 12 addresses 12 are used and 0 released less ' +
        'than 5 s ago; vSwitch "b" (10.0.1.0/28) is full: of 12 addresses 12 are used and 0 released less than 5 s ago',
    );
  });

  test("an address rests 30 s, and 5 s when nothing else is left", () => {
    using database = openDatabase();
    const ipam = new Ipam(database, vswitches, [], seeded(2), 0);
    const first = ipam.allocate(["b"], "eni-0", 0, nothing);
    ipam.release("eni-0", 1000, nothing);
    for (let index = 1; index < 12; index++) {
      expect(ipam.allocate(["b"], `eni-${index}`, 2000, nothing).ipv4).not.toBe(first.ipv4);
    }
    expect(ipam.usage(2000)[1]).toEqual({ vswitchId: "b", total: 12, used: 11, cooling: 1, free: 0 });
    expect(() => ipam.allocate(["b"], "eni-x", 5999, nothing)).toThrow("released less than 5 s ago");
    expect(ipam.allocate(["b"], "eni-x", 6000, nothing).ipv4).toBe(first.ipv4);
  });

  test("a vSwitch that was renamed does not give its pods' addresses away", () => {
    using database = openDatabase();
    const held = Array.from({ length: 11 }, (_, index) => ({
      vpcId: "v",
      vswitchId: "old-name",
      ipv4: `10.0.1.${index + 1}`,
      ipv6: undefined,
    }));
    const ipam = new Ipam(database, vswitches, held, seeded(4), 0);
    expect(ipam.allocate(["b"], "eni-1", 0, nothing).ipv4).toBe("10.0.1.12");
    expect(() => ipam.allocate(["b"], "eni-2", 0, nothing)).toThrow("is full");
  });

  test("every free address is equally likely", () => {
    using database = openDatabase();
    const counts = new Map<string, number>();
    const ipam = new Ipam(database, vswitches, [], seeded(3), 0);
    for (let round = 0; round < 2400; round++) {
      const nowMs = round * 40_000;
      const { ipv4 } = ipam.allocate(["b"], "eni", nowMs, nothing);
      ipam.release("eni", nowMs, nothing);
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
    const ipam = new Ipam(database, vswitches, [], zero, 0);
    const stale = new Ipam(database, vswitches, [], zero, 0);
    ipam.allocate(["b"], "eni-1", 0, nothing);
    expect(() => stale.allocate(["b"], "eni-2", 0, nothing)).toThrow(/UNIQUE/);
    expect(stale.allocate(["b"], "eni-2", 0, nothing).ipv4).toBe("10.0.1.2");
  });

  test("model: no address twice, none while it rests, counts agree, across crashes at any commit", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("allocate" as const), failing: fc.boolean() }) },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant("release" as const), which: fc.nat(), failing: fc.boolean() }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(20_000) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(), (steps, seed) => {
        using database = openDatabase();
        const random = seeded(seed);
        let nowMs = 1_000_000;
        let ipam = new Ipam(database, vswitches, [], random, nowMs);
        const used = new Map<string, string>();
        const restingSince = new Map<string, number>();
        let enis = 0;
        for (const action of steps) {
          if (action.kind === "wait") nowMs += action.ms;
          if (action.kind === "crash") ipam = new Ipam(database, vswitches, [], random, nowMs);
          // The caller's part of the transaction fails half of the time: then nothing may have happened.
          const record = () => {
            if ("failing" in action && action.failing) throw new Error("disk full");
          };
          if (action.kind === "allocate") {
            const eni = `eni-${enis++}`;
            const free = usable - used.size - [...restingSince.values()].filter((since) => nowMs - since < 5000).length;
            const got = attempt(() => ipam.allocate(order, eni, nowMs, record));
            if (got === "full") expect(free).toBe(0);
            else if (got !== "failed") {
              expect(used.has(got.ipv4)).toBe(false);
              expect(nowMs - (restingSince.get(got.ipv4) ?? 0)).toBeGreaterThanOrEqual(5000);
              restingSince.delete(got.ipv4);
              used.set(got.ipv4, eni);
            }
          }
          if (action.kind === "release" && used.size > 0) {
            const [address, eni] = [...used][action.which % used.size] ?? ["", ""];
            if (attempt(() => ipam.release(eni, nowMs, record)) !== "failed") {
              used.delete(address);
              restingSince.set(address, nowMs);
            }
          }
          const resting = [...restingSince.values()].filter((since) => nowMs - since < 30_000).length;
          const usage = ipam.usage(nowMs);
          const total = (key: "used" | "cooling" | "free") => usage.reduce((sum, vswitch) => sum + vswitch[key], 0);
          expect([total("used"), total("cooling"), total("free")]).toEqual([
            used.size,
            resting,
            usable - used.size - resting,
          ]);
        }
      }),
      { numRuns: 60 },
    );
  });
});

function attempt<Result>(work: () => Result): Result | "failed" | "full" {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && error.message === "disk full") return "failed";
    if (error instanceof Error && error.message.includes("is full")) return "full";
    throw error;
  }
}
