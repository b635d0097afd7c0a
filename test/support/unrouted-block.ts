import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";

/** What of 10.0.0.0/8 random ranges are taken from. */
const [firstOctet, endOctet] = [200, 250];

/**
 * A 10.x.y.0/20 that no route of the host lies in: tests of several people run at once.
 * @returns its first three octets, such as "10.207.16"
 */
export function unroutedBlock(): string {
  for (let tries = 0; tries < 200; tries++) {
    const block = `10.${randomInt(firstOctet, endOctet)}.${randomInt(0, 16) * 16}`;
    const argv = ["-4", "route", "show", "table", "all", "to", "root", `${block}.0/20`];
    if (execFileSync("ip", argv, { encoding: "utf8" }).trim() === "") return block;
  }
  throw new Error(`Every range between 10.${firstOctet}.0.0 and 10.${endOctet}.0.0 has a route on this machine`);
}
