import { randomBytes, randomInt } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type ProcessIdentity, readProcessStat } from "../../src/system/process.ts";
import { output } from "./command.ts";

/** Where the tests' agents live: state where a real one has it, root on the disk. */
const stateBase = "/run/podling-test";
const rootBase = "/var/tmp/podling-test";
/** One directory a 10.x.0.0/16 that a running test uses. */
const networkBase = `${stateBase}/.networks`;

/** One agent's worth of names and directories that nobody else on the machine uses. */
export interface TestInstance {
  /** Instance name, "t" and 8 hex digits. */
  readonly name: string;
  readonly root: string;
  readonly state: string;
  /** For the test's own files: configuration, log, registries. */
  readonly scratch: string;
  readonly cidr: string;
  readonly vswitchCidr: string;
  readonly ipv6Cidr: string;
  readonly vswitchIpv6Cidr: string;
}

/** Reserves names, directories and networks for the life of this process or until they are swept. */
export async function reserveInstance(): Promise<TestInstance> {
  const name = `t${randomBytes(4).toString("hex")}`;
  const block = await reserveNetwork(name);
  const [a, b] = [randomBytes(2).toString("hex"), randomBytes(2).toString("hex")];
  const instance = {
    ...locate(name),
    cidr: `10.${block}.0.0/16`,
    vswitchCidr: `10.${block}.0.0/20`,
    ipv6Cidr: `fd${block.toString(16).padStart(2, "0")}:${a}:${b}::/56`,
    vswitchIpv6Cidr: `fd${block.toString(16).padStart(2, "0")}:${a}:${b}::/64`,
  };
  for (const directory of [instance.state, instance.root, instance.scratch]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(stateBase, name, "owner.json"), JSON.stringify(readProcessStat(process.pid)));
  return instance;
}

/** The directories of an instance, whoever reserved it. */
export function locate(name: string): { name: string; root: string; state: string; scratch: string } {
  return {
    name,
    state: join(stateBase, name, "state"),
    root: join(rootBase, name, "root"),
    scratch: join(rootBase, name, "scratch"),
  };
}

/** Instances whose test process has gone without cleaning up. */
export function abandonedInstances(): readonly string[] {
  const names = new Set([...entries(stateBase), ...entries(rootBase)].filter((name) => /^t[0-9a-f]{8}$/.test(name)));
  return [...names].filter((name) => !ownerLives(name));
}

/** Removes the directories and reservations; everything else the instance had must be gone already. */
export function forgetInstance(name: string): void {
  rmSync(join(rootBase, name), { recursive: true, force: true });
  rmSync(join(stateBase, name), { recursive: true, force: true });
  for (const block of entries(networkBase)) {
    if (entries(join(networkBase, block)).includes(name)) {
      rmSync(join(networkBase, block), { recursive: true, force: true });
    }
  }
}

async function reserveNetwork(name: string): Promise<number> {
  const used = await output(["ip", "-4", "route", "show", "table", "all"]);
  for (let tries = 0; tries < 500; tries++) {
    const block = randomInt(100, 250);
    if (used.includes(`10.${block}.`)) continue;
    mkdirSync(networkBase, { recursive: true });
    try {
      mkdirSync(join(networkBase, String(block)));
    } catch {
      continue; // another test has it
    }
    mkdirSync(join(networkBase, String(block), name));
    return block;
  }
  throw new Error("No 10.x.0.0/16 is free on this machine for a test network");
}

function ownerLives(name: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(join(stateBase, name, "owner.json"), "utf8")) as ProcessIdentity);
  } catch {
    return false;
  }
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
