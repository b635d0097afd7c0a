import { AgentError } from "../../common/errors.ts";
import type { PullSecrets } from "../../manifests/pull-secret.ts";
import { parseReference } from "../reference.ts";
import { chooseLogin, type RegistryCredentials } from "../registry-credentials.ts";

/** The first credentials meant for the image's registry. @throws AgentError InvalidArgument when they make no sense */
export function cacheCredentials(
  credentials: readonly RegistryCredentials[],
  reference: string,
): RegistryCredentials | undefined {
  const { registry } = parseReference(reference);
  return credentials.find((one) => chooseLogin(one, registry, registry).kind !== "anonymous");
}

/**
 * What the secrets that a cache names hold, in their order.
 * @param names "namespace:secretName" each
 * @throws AgentError NotFound for one that no manifest is
 */
export function secretCredentials(names: readonly string[], secrets: PullSecrets): readonly RegistryCredentials[] {
  return names.flatMap((name) => {
    const logins = secrets.get(name);
    if (logins !== undefined) return logins;
    throw new AgentError(
      "NotFound",
      `Secret ${JSON.stringify(name)} of imagePullSecrets is not among the manifests of this node: ` +
        "it must be a Secret of type kubernetes.io/dockerconfigjson",
    );
  });
}
