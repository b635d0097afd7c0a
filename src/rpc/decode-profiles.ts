import type { SELinuxOption__Output } from "../generated/runtime/v1/SELinuxOption.ts";
import type { SecurityProfile__Output } from "../generated/runtime/v1/SecurityProfile.ts";
import { invalid, notBuilt } from "./field-error.ts";

/**
 * Refuses every security profile that would have to be applied: none is built yet, and a container that silently runs
 * without the one it asked for is worse than one that doesn't run.
 * @param field of the message; an absent message or Unconfined passes
 * @throws AgentError InvalidArgument, Unimplemented
 */
export function checkUnconfined(field: string, feature: string, profile: SecurityProfile__Output | null): void {
  if (profile === null) return;
  switch (profile.profile_type) {
    case "Unconfined":
      checkNoReference(field, profile);
      return;
    case "RuntimeDefault":
      checkNoReference(field, profile);
      throw notBuilt(`${field}.profile_type`, "RuntimeDefault", `${feature} profiles are`);
    case "Localhost":
      throw notBuilt(`${field}.profile_type`, "Localhost", `${feature} profiles are`);
    default:
      throw invalid(
        `${field}.profile_type`,
        profile.profile_type satisfies never,
        "must be RuntimeDefault, Unconfined or Localhost",
      );
  }
}

/**
 * The same for a pod's own process. There is none, so RuntimeDefault, which kubelet always asks for here, holds anyway.
 */
export function checkSandboxProfile(field: string, feature: string, profile: SecurityProfile__Output | null): void {
  if (profile?.profile_type === "RuntimeDefault") checkNoReference(field, profile);
  else checkUnconfined(field, feature, profile);
}

/** The older text form of a profile: "", unconfined, runtime/default, docker/default or localhost/NAME. */
export function checkUnconfinedText(field: string, feature: string, text: string): void {
  if (text === "" || text === "unconfined") return;
  if (text === "runtime/default" || text === "docker/default" || text.startsWith("localhost/")) {
    throw notBuilt(field, text, `${feature} profiles are`);
  }
  throw invalid(field, text, 'must be "unconfined", "runtime/default" or "localhost/" and a name');
}

/** As {@link checkUnconfinedText}, for a pod. */
export function checkSandboxProfileText(field: string, feature: string, text: string): void {
  if (text !== "runtime/default" && text !== "docker/default") checkUnconfinedText(field, feature, text);
}

/** @throws AgentError Unimplemented when a label is asked for */
export function checkNoLabel(field: string, options: SELinuxOption__Output | null): void {
  if (options === null) return;
  for (const name of ["user", "role", "type", "level"] as const) {
    if (options[name] !== "") throw notBuilt(`${field}.${name}`, options[name], "SELinux labels are");
  }
}

function checkNoReference(field: string, profile: SecurityProfile__Output): void {
  if (profile.localhost_ref === "") return;
  throw invalid(`${field}.localhost_ref`, profile.localhost_ref, "must be empty unless profile_type is Localhost");
}
