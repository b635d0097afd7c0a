import type { SELinuxOption__Output } from "../generated/runtime/v1/SELinuxOption.ts";
import type { SecurityProfile__Output } from "../generated/runtime/v1/SecurityProfile.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import { checkAbsolutePath, checkNoNul } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";

type Security = ContainerSpec["settings"]["security"];
type SecurityProfile = Security["seccomp"];

/** How one of the two kinds of profiles is written. */
interface ProfileKind {
  /** Texts of the older field that mean the runtime's own profile. */
  readonly defaultTexts: readonly string[];
  /** What follows "localhost/", or stands alone in the newer field. */
  readonly checkReference: (field: string, reference: string) => string;
}

const seccompKind: ProfileKind = {
  defaultTexts: ["runtime/default", "docker/default"],
  checkReference: checkAbsolutePath,
};
const apparmorKind: ProfileKind = {
  defaultTexts: ["runtime/default"],
  checkReference: checkProfileName,
};
const localhostPrefix = "localhost/";

/**
 * A seccomp profile. The older text counts only where the message is absent; kubelet fills both alike.
 * @param field of the message
 * @param textField of the older form
 * @throws AgentError InvalidArgument
 */
export function decodeSeccomp(
  field: string,
  profile: SecurityProfile__Output | null,
  textField: string,
  text: string,
): SecurityProfile {
  if (profile !== null) return decodeProfile(seccompKind, field, profile);
  return decodeProfileText(seccompKind, textField, text);
}

/** As {@link decodeSeccomp}, for AppArmor. */
export function decodeApparmor(
  field: string,
  profile: SecurityProfile__Output | null,
  textField: string,
  text: string,
): SecurityProfile {
  if (profile !== null) return decodeProfile(apparmorKind, field, profile);
  return decodeProfileText(apparmorKind, textField, text);
}

function decodeProfile(kind: ProfileKind, field: string, profile: SecurityProfile__Output): SecurityProfile {
  const { profile_type, localhost_ref } = profile;
  if (profile_type === "Localhost") {
    if (localhost_ref === "") throw missing(`${field}.localhost_ref`);
    // containerd takes the older form's prefix here too.
    const reference = localhost_ref.startsWith(localhostPrefix)
      ? localhost_ref.slice(localhostPrefix.length)
      : localhost_ref;
    return { kind: "localhost", reference: kind.checkReference(`${field}.localhost_ref`, reference) };
  }
  if (localhost_ref !== "") {
    throw invalid(`${field}.localhost_ref`, localhost_ref, "must be empty unless profile_type is Localhost");
  }
  switch (profile_type) {
    case "RuntimeDefault":
      return { kind: "runtime-default" };
    case "Unconfined":
      return { kind: "unconfined" };
    default:
      throw invalid(
        `${field}.profile_type`,
        profile_type satisfies never,
        "must be RuntimeDefault, Unconfined or Localhost",
      );
  }
}

/** The older text form: "", unconfined, runtime/default, or localhost/ and a path or name. */
function decodeProfileText(kind: ProfileKind, field: string, text: string): SecurityProfile {
  if (text === "") return { kind: "unset" };
  if (text === "unconfined") return { kind: "unconfined" };
  if (kind.defaultTexts.includes(text)) return { kind: "runtime-default" };
  if (text.startsWith(localhostPrefix)) {
    return { kind: "localhost", reference: kind.checkReference(field, text.slice(localhostPrefix.length)) };
  }
  const texts = ["unconfined", ...kind.defaultTexts].map((one) => `"${one}"`).join(", ");
  throw invalid(field, text, `must be ${texts}, or "${localhostPrefix}" and a profile`);
}

/** Names of AppArmor profiles are paths or words; the runtime writes them into a file of /proc. */
function checkProfileName(field: string, name: string): string {
  if (name === "") throw missing(field);
  checkNoNul(field, name);
  if (/[\n\r]/.test(name) || name.length > 4096) throw invalid(field, name, "must be the name of a loaded profile");
  return name;
}

/** Sensitivities and categories: "s0", "s0:c1,c2", "s0-s3:c0.c1023". */
const level = /^s\d{1,2}(-s\d{1,2})?(:c\d{1,4}(\.c\d{1,4})?(,c\d{1,4}(\.c\d{1,4})?)*)?$/;

/**
 * SELinux options; an empty message asks for nothing.
 * @throws AgentError InvalidArgument
 */
export function decodeSelinux(field: string, options: SELinuxOption__Output | null): Security["selinux"] {
  if (options === null) return undefined;
  const { user, role, type } = options;
  for (const [name, text] of Object.entries({ user, role, type })) {
    if (!/^[A-Za-z0-9_.-]{0,255}$/.test(text)) {
      throw invalid(`${field}.${name}`, text, "must be a name of letters, digits, _, . and -");
    }
  }
  if (options.level !== "" && !level.test(options.level)) {
    throw invalid(`${field}.level`, options.level, 'must be a level such as "s0:c1,c2"');
  }
  if (user + role + type + options.level === "") return undefined;
  return { user, role, type, level: options.level };
}
