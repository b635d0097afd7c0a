import { AgentError } from "../common/errors.ts";
import { cleanPath } from "./field-checks.ts";

/** "eci": the limits of an elastic container instance. "node": what a kubelet with ordinary pods may ask for. */
export type Profile = "eci" | "node";

/** What an elastic container instance has no use for, with the reason people read. */
const limits = {
  privileged: "privileged pods are refused",
  hostNamespace: "the host's namespaces are refused",
  hostPort: "host ports are refused; a pod has addresses of its own",
  hostDevice: "the host's devices are refused; CDI devices that the node's administrator defined are allowed",
  hostPath: "host paths outside kubelet's pod volumes are refused",
} as const;

/** Where kubelet keeps the volumes it makes for pods: mounts from here are no hostPath volumes. */
const kubeletPods = "/var/lib/kubelet/pods/";

/**
 * Refuses what the profile does not allow.
 * @throws AgentError InvalidArgument that names the field and the setting that allows it
 */
export function admit(
  profile: Profile,
  limit: keyof typeof limits,
  field: string,
  value: string | number | boolean,
): void {
  if (profile === "node") return;
  throw new AgentError(
    "InvalidArgument",
    `Invalid ${field} ${JSON.stringify(value)}: ${limits[limit]} under profile "eci"; ` +
      'profile = "node" in the agent\'s configuration allows it',
  );
}

/** As {@link admit}, for a path that a container wants to mount. */
export function admitHostPath(profile: Profile, field: string, path: string): void {
  if (!cleanPath(path).startsWith(kubeletPods)) admit(profile, "hostPath", field, path);
}
