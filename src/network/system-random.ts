import { randomBytes, randomInt } from "node:crypto";
import type { IpamRandom } from "./address-pool.ts";

/** Chance as the kernel gives it: nobody can guess the next pod's address. */
export const systemRandom: IpamRandom = {
  below: (bound) => randomInt(bound),
  interfaceId: () => randomBytes(8).readBigUInt64BE(),
};
