import { readFileSync } from "node:fs";

/** A name that means this machine without saying so, as /etc/hosts has it; "localhost" where there is none. */
export function loopbackName(): string {
  const names = readFileSync("/etc/hosts", "utf8")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter(([address = ""]) => address.startsWith("127.") || address === "::1")
    .flatMap(([, ...found]) => found);
  return names.find((name) => name !== "localhost" && !name.endsWith(".localhost")) ?? "localhost";
}
