import { isUtf8 } from "node:buffer";
import type { ContainerConfig__Output } from "../generated/runtime/v1/ContainerConfig.ts";
import type { ContainerMetadata__Output } from "../generated/runtime/v1/ContainerMetadata.ts";
import type { CreateContainerRequest__Output } from "../generated/runtime/v1/CreateContainerRequest.ts";
import type { KeyValue__Output } from "../generated/runtime/v1/KeyValue.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { decodeCdiDevices } from "./decode-cdi.ts";
import { decodeDevices } from "./decode-devices.ts";
import { decodeMounts } from "./decode-mounts.ts";
import { decodeResources } from "./decode-resources.ts";
import { decodeSecurity } from "./decode-security.ts";
import { checkAbsolutePath, checkName, checkNoNul, checkRelativePath, decodeMap } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";
import type { Profile } from "./profile-policy.ts";
import { decodeSignal } from "./signals.ts";

type ContainerSettings = ContainerSpec["settings"];

/**
 * CreateContainer's request.
 * @param sandbox the pod it is for, as it was asked for
 * @throws AgentError InvalidArgument naming the field, Unimplemented for what can't be honoured
 */
export function decodeContainer(
  profile: Profile,
  request: CreateContainerRequest__Output,
  sandbox: Pick<SandboxSpec, "privileged" | "namespaces">,
): ContainerSpec {
  const { config } = request;
  if (config === null) throw missing("config");
  if (config.windows !== null) throw invalid("config.windows", "{…}", "must be absent: this node runs Linux");
  const settings = decodeSettings(profile, config, sandbox);
  if (settings.security.privileged && !sandbox.privileged) {
    throw invalid(
      "config.linux.security_context.privileged",
      true,
      "must be false in a sandbox that is not privileged",
    );
  }
  const image = config.image?.image ?? "";
  if (image === "") throw missing("config.image.image");
  return {
    metadata: decodeMetadata("config.metadata", config.metadata),
    image: checkName("config.image.image", image),
    userSpecifiedImage: config.image?.user_specified_image ?? "",
    labels: decodeMap("config.labels", config.labels),
    annotations: decodeMap("config.annotations", config.annotations),
    logPath: config.log_path === "" ? "" : checkRelativePath("config.log_path", config.log_path),
    stopSignal: decodeSignal("config.stop_signal", config.stop_signal),
    settings,
  };
}

function decodeMetadata(field: string, metadata: ContainerMetadata__Output | null): ContainerSpec["metadata"] {
  if (metadata === null) throw missing(field);
  return { name: checkName(`${field}.name`, metadata.name), attempt: metadata.attempt };
}

function decodeSettings(
  profile: Profile,
  config: ContainerConfig__Output,
  { namespaces }: Pick<SandboxSpec, "namespaces">,
): ContainerSettings {
  return {
    command: decodeArgv("config.command", config.command),
    args: decodeArgv("config.args", config.args),
    workingDir: config.working_dir === "" ? "" : checkAbsolutePath("config.working_dir", config.working_dir),
    envs: config.envs.map((env, index) => decodeEnv(`config.envs[${index}]`, env)),
    mounts: decodeMounts(profile, "config.mounts", config.mounts, namespaces.user),
    devices: decodeDevices(profile, "config.devices", config.devices),
    cdiDevices: decodeCdiDevices(config),
    tty: config.tty,
    stdin: config.stdin,
    stdinOnce: config.stdin_once,
    security: decodeSecurity(
      profile,
      "config.linux.security_context",
      config.linux?.security_context ?? null,
      namespaces,
    ),
    resources: decodeResources("config.linux.resources", config.linux?.resources ?? null),
  };
}

/** Words of a command line, as execve takes them. */
export function decodeArgv(field: string, words: readonly string[]): readonly string[] {
  return words.map((word, index) => checkNoNul(`${field}[${index}]`, word));
}

/** Values may be secrets, so no error shows one. */
function decodeEnv(field: string, env: KeyValue__Output): ContainerSettings["envs"][number] {
  if (env.key === "") throw missing(`${field}.key`);
  if (/[=\0]/.test(env.key)) throw invalid(`${field}.key`, env.key, 'must not contain "=" or NUL');
  if (env.value.includes(0)) throw invalid(`${field}.value of ${env.key}`, "…", "must not contain NUL");
  // The runtime's configuration is JSON, which can't hold other bytes.
  if (!isUtf8(env.value)) throw invalid(`${field}.value of ${env.key}`, "…", "must be UTF-8");
  return { name: env.key, value: env.value.toString("utf8") };
}
