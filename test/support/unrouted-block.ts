import { execFileSync } from "node:child_process";
import { ownNumbers } from "./own-numbers.ts";

/** What of 10.0.0.0/8 the ranges are taken from: agents of tests have those above. */
const [firstOctet, endOctet] = [60, 100];
const sixteenths = ownNumbers(firstOctet * 16, endOctet * 16);

/**
 * A 10.x.y.0/20 that no route of the host lies in or holds: tests of several people run at once.
 * @returns its first three octets, such as "10.207.16"
 */
export function unroutedBlock(): string {
  for (let tries = 0; tries < 200; tries++) {
    const sixteenth = sixteenths();
    const block = `10.${sixteenth >> 4}.${(sixteenth & 15) * 16}`;
    if (["root", "match"].every((relation) => routes(relation, `${block}.0/20`).length === 0)) return block;
  }
  throw new Error(`Every range between 10.${firstOctet}.0.0 and 10.${endOctet}.0.0 has a route on this machine`);
}

/** @param relation "root": routes inside the range; "match": routes that hold it */
function routes(relation: string, range: string): readonly string[] {
  const argv = ["-4", "route", "show", "table", "all", "to", relation, range];
  const lines = execFileSync("ip", argv, { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("default") && !/^\w+ default/.test(line));
}
