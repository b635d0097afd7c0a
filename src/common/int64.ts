import { AgentError } from "./errors.ts";

declare const brand: unique symbol;
/** A 64-bit integer as canonical decimal text: JSON-safe and exact above 2^53. */
export type Int64 = string & { readonly [brand]: "Int64" };

/** @throws AgentError InvalidArgument naming the field */
export function parseInt64(field: string, text: string | number | bigint): Int64 {
  try {
    const value = BigInt(text);
    if (BigInt.asIntN(64, value) === value) return value.toString() as Int64;
  } catch {
    // falls through to the one error
  }
  throw new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(String(text))}: must be a 64-bit integer`);
}
