import { existsSync } from "node:fs";

export type Handler = "runc" | "crun";

/** Specs that can't be run somewhere, and why. What stands here stands in docs/conformance.md too. */
export interface ExpectedSkip {
  readonly specs: RegExp;
  /** On which handlers. */
  readonly handlers: readonly Handler[];
  /** As docs/conformance.md says it. */
  readonly reason: string;
  /** Whether this machine is one where they can't be run; where it is not, they have to pass. */
  readonly applies: () => boolean;
  /** The spec would fail instead of skipping itself, so critest is told to leave it out. */
  readonly leftOut?: true;
}

export const expectedSkips: readonly ExpectedSkip[] = [
  {
    specs: /^\[k8s\.io\] AppArmor /,
    handlers: ["runc", "crun"],
    reason: "the kernel has no AppArmor",
    applies: () => !existsSync("/sys/module/apparmor/parameters/enabled"),
  },
  {
    specs: /^\[k8s\.io\] Image Manager public image with digest should be pulled and removed/,
    handlers: ["runc", "crun"],
    reason: "the image's digest is fixed in critest and its bytes are on the internet only",
    applies: () => true,
    leftOut: true,
  },
];

/** @returns the entry that lets a spec be skipped here, if any does */
export function expectedSkip(handler: Handler, spec: string): ExpectedSkip | undefined {
  return expectedSkips.find((entry) => entry.handlers.includes(handler) && entry.specs.test(spec) && entry.applies());
}

/** @returns those of the specs that critest has to be told to leave out here */
export function leftOutSpecs(handler: Handler, specs: readonly string[]): readonly string[] {
  return specs.filter((spec) => expectedSkip(handler, spec)?.leftOut);
}
