import { isIP } from "node:net";
import { AgentError } from "../common/errors.ts";
import { type AddressRule, bareHost, isLoopbackHost } from "./address-guard.ts";
import { printableUrl } from "./registry-http.ts";

/** A token server that a registry named and that may be asked. */
export interface TokenRealm {
  readonly url: URL;
  readonly addressRule: AddressRule;
  /** Whether it may see the caller's credentials: only a server of the registry's own domain. */
  readonly trusted: boolean;
}

/**
 * Checks the realm of a Bearer challenge. The registry chooses it, so it must not get us to send a secret in the clear, to
 * another domain, or a request to a service of this machine.
 * @throws AgentError PermissionDenied naming what is wrong
 */
export function checkRealm(realm: string, registryUrl: URL): TokenRealm {
  const url = URL.parse(realm);
  const refuse = (why: string) =>
    new AgentError(
      "PermissionDenied",
      `Registry "${registryUrl.host}" names token server ${printableUrl(realm)}: ${why}`,
    );
  if (url === null || !["http:", "https:"].includes(url.protocol)) throw refuse("it must be an http or https URL");
  if (url.username !== "" || url.password !== "") throw refuse("a URL with a user name is not allowed");
  if (registryUrl.protocol === "https:" && url.protocol !== "https:") throw refuse("an https registry needs https");
  const sameHost = url.hostname === registryUrl.hostname;
  const registryIsLocal = isLoopbackHost(registryUrl.hostname);
  return {
    url,
    addressRule: sameHost || registryIsLocal ? "registry" : "elsewhere",
    trusted:
      sameHost || (registryIsLocal && isLoopbackHost(url.hostname)) || sameDomain(url.hostname, registryUrl.hostname),
  };
}

/** Whether two names belong to one registrable domain, judged by their last two labels, three under names like co.uk. */
function sameDomain(one: string, other: string): boolean {
  const [a, b] = [registrable(one), registrable(other)];
  return a !== undefined && a === b;
}

function registrable(hostname: string): string | undefined {
  const host = bareHost(hostname);
  const labels = host.split(".");
  if (isIP(host) !== 0 || labels.length < 2) return undefined;
  const [second = "", top = ""] = labels.slice(-2);
  const wide = top.length === 2 && ["co", "com", "net", "org", "gov", "edu", "ac", "or", "ne"].includes(second);
  return labels.length >= (wide ? 3 : 2) ? labels.slice(wide ? -3 : -2).join(".") : undefined;
}
