import type { RuntimeCondition } from "../generated/runtime/v1/RuntimeCondition.ts";
import type { RuntimeHandler } from "../generated/runtime/v1/RuntimeHandler.ts";
import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { Condition, SandboxService } from "../sandbox/sandbox-service.ts";
import type { Rpcs } from "./serve.ts";

export interface InfoRpcDeps {
  /** Semantic version of the agent. */
  readonly version: string;
  /** What `crictl info` prints as the configuration: plain data, no secrets, `stateDir` among it for critest. */
  readonly shownConfig: object;
  readonly sandboxes: Pick<SandboxService, "handlers" | "status">;
}

/** Version of kubelet's side of the contract, which it compares with its own. */
const kubeletApiVersion = "0.1.0";

/** The RPCs about the agent itself. */
export function infoRpcs({ version, shownConfig, sandboxes }: InfoRpcDeps) {
  return {
    Version: () => ({
      version: kubeletApiVersion,
      runtime_name: "podling",
      runtime_version: version,
      runtime_api_version: "v1",
    }),
    Status: ({ verbose }) => {
      const { runtimeReady, networkReady } = sandboxes.status();
      const conditions = [encodeCondition("RuntimeReady", runtimeReady), encodeCondition("NetworkReady", networkReady)];
      return {
        status: { conditions },
        runtime_handlers: encodeHandlers(sandboxes.handlers()),
        features: { supplemental_groups_policy: true, mount_options: true },
        ...(verbose ? { info: { config: JSON.stringify(shownConfig) } } : {}),
      };
    },
    // Not saying so would say SYSTEMD, the zero value.
    RuntimeConfig: () => ({ linux: { cgroup_driver: "CGROUPFS" as const } }),
    // Pods get their addresses from the vSwitch, so a pod CIDR changes nothing.
    UpdateRuntimeConfig: () => ({}),
  } satisfies Rpcs<RuntimeServiceHandlers, "Version" | "Status" | "RuntimeConfig" | "UpdateRuntimeConfig">;
}

function encodeCondition(type: string, { ready, reason, message }: Condition): RuntimeCondition {
  return { type, status: ready, reason, message };
}

/** The default handler counts twice, once under the empty name that requests mostly use. */
function encodeHandlers({ names, defaultName, features }: ReturnType<SandboxService["handlers"]>): RuntimeHandler[] {
  return ["", ...names].map((name) => {
    const can = features.get(name === "" ? defaultName : name);
    return {
      name,
      features: {
        recursive_read_only_mounts: can?.recursiveReadOnly === true,
        user_namespaces: can?.userNamespaces === true,
      },
    };
  });
}
