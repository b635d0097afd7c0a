import { AgentError } from "../../common/errors.ts";
import type { CapabilityArgs } from "./capability-args.ts";
import { hasSince } from "./cni-version.ts";
import type { CniNetwork, CniPlugin } from "./network-list.ts";
import { type CniResult, writePluginResult } from "./plugin-result.ts";

/** One run of a plugin's program. */
export interface PluginCall {
  readonly type: string;
  readonly command: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";
  /** Beside CNI_COMMAND and CNI_PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** JSON for its standard input. */
  readonly input: string;
}

/** One pod's attachment, as plugins are told of it. */
export interface AttachmentTarget {
  readonly containerId: string;
  /** Empty when the namespace is gone. */
  readonly netnsPath: string;
  readonly interfaceName: string;
  /** The value of CNI_ARGS. */
  readonly args: string;
  readonly capabilityArgs: CapabilityArgs;
}

/** Names of pods are not ours to choose, and these characters would end a value. */
const forbidden = /[;=\0\n]/;

/**
 * The value of CNI_ARGS for a pod.
 * @throws AgentError InvalidArgument for a name that can't be told to a plugin
 */
export function planArgs(pod: {
  readonly sandboxId: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}): string {
  const values = {
    IgnoreUnknown: "1",
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_NAME: pod.name,
    K8S_POD_INFRA_CONTAINER_ID: pod.sandboxId,
    K8S_POD_UID: pod.uid ?? "",
  };
  const bad = Object.entries(values).find(([, value]) => forbidden.test(value));
  if (bad !== undefined) {
    throw new AgentError(
      "InvalidArgument",
      `Cannot tell CNI plugins ${bad[0]} ${JSON.stringify(bad[1].slice(0, 200))}: it must not hold ";", "=" or a line's end`,
    );
  }
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join(";");
}

/** The ADD of a network's plugin. @param previous what the plugin before it gave; undefined for the first */
export function planAdd(
  network: CniNetwork,
  plugin: CniPlugin,
  target: AttachmentTarget,
  previous: CniResult | undefined,
): PluginCall {
  return onAttachment("ADD", network, plugin, target, previous);
}

/**
 * The DELs of an attachment, in their order.
 * @param result what its ADD gave; undefined when that failed or nobody knows
 */
export function planDel(
  network: CniNetwork,
  target: AttachmentTarget,
  result: CniResult | undefined,
): readonly PluginCall[] {
  const previous = hasSince(network.version, "0.4.0") ? result : undefined;
  return network.plugins.toReversed().map((plugin) => onAttachment("DEL", network, plugin, target, previous));
}

/** The CHECKs of an attachment, in their order; none where the network has or wants none. */
export function planCheck(network: CniNetwork, target: AttachmentTarget, result: CniResult): readonly PluginCall[] {
  if (network.disableCheck || !hasSince(network.version, "0.4.0")) return [];
  return network.plugins.map((plugin) => onAttachment("CHECK", network, plugin, target, result));
}

/**
 * The GCs of a network; none where the network has or wants none.
 * @param valid every attachment there is: plugins drop what they have of others
 */
export function planGc(
  network: CniNetwork,
  valid: readonly Pick<AttachmentTarget, "containerId" | "interfaceName">[],
): readonly PluginCall[] {
  if (network.disableGc || !hasSince(network.version, "1.1.0")) return [];
  const attachments = valid.map(({ containerId, interfaceName }) => ({
    containerID: containerId,
    ifname: interfaceName,
  }));
  return network.plugins.map((plugin) => ({
    type: plugin.type,
    command: "GC",
    env: {},
    input: JSON.stringify({ ...pluginConfig(network, plugin), "cni.dev/valid-attachments": attachments }),
  }));
}

/** The STATUS questions of a network; none where the network has none. */
export function planStatus(network: CniNetwork): readonly PluginCall[] {
  if (!hasSince(network.version, "1.1.0")) return [];
  return network.plugins.map((plugin) => ({
    type: plugin.type,
    command: "STATUS",
    env: {},
    input: JSON.stringify(pluginConfig(network, plugin)),
  }));
}

function onAttachment(
  command: PluginCall["command"],
  network: CniNetwork,
  plugin: CniPlugin,
  target: AttachmentTarget,
  previous: CniResult | undefined,
): PluginCall {
  const runtimeConfig = Object.fromEntries(
    Object.entries(target.capabilityArgs).filter(([capability]) => plugin.capabilities.includes(capability)),
  );
  return {
    type: plugin.type,
    command,
    env: {
      CNI_CONTAINERID: target.containerId,
      CNI_NETNS: target.netnsPath,
      CNI_IFNAME: target.interfaceName,
      CNI_ARGS: target.args,
    },
    input: JSON.stringify({
      ...pluginConfig(network, plugin),
      ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
      ...(previous !== undefined && { prevResult: writePluginResult(previous, network.version) }),
    }),
  };
}

/** What a plugin reads of its network; names of the file can't stand in for what the runtime says. */
function pluginConfig({ name, version }: CniNetwork, { type, config }: CniPlugin): object {
  const { runtimeConfig: _runtime, prevResult: _previous, ...own } = config;
  return { ...own, cniVersion: version, name, type };
}
