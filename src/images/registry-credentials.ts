import { createHash } from "node:crypto";
import { AgentError } from "../common/errors.ts";

/** What a caller gives for a pull (CRI AuthConfig). Every field is a secret but `serverAddress`. */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  /** Base64 of `user:password`. */
  readonly auth?: string;
  /** Host these are meant for, with or without scheme and path; empty: the image's registry, whichever host serves it. */
  readonly serverAddress?: string;
  /** OAuth2 refresh token. */
  readonly identityToken?: string;
  /** Bearer token for the registry itself. */
  readonly registryToken?: string;
}

/** What is used of them. */
export type Login =
  | { readonly kind: "anonymous" }
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "identityToken"; readonly token: string }
  | { readonly kind: "registryToken"; readonly token: string };

const dockerNames: ReadonlySet<string> = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/**
 * The login for one host: user name and password, then identity token, then `auth`, then registry token. Credentials for
 * another server address do not count.
 * @param host host[:port] that will be asked
 * @param registry the registry as the image names it; undefined when the host is a mirror of it
 * @throws AgentError InvalidArgument when the fields contradict each other or `auth` is no login; without their values
 */
export function chooseLogin(
  credentials: RegistryCredentials | undefined,
  host: string,
  registry: string | undefined,
): Login {
  const anonymous = { kind: "anonymous" } as const;
  if (credentials === undefined) return anonymous;
  const address = credentials.serverAddress ?? "";
  if (address !== "" && !isMeantFor(address, host) && !(registry !== undefined && isMeantFor(address, registry))) {
    return anonymous;
  }
  const { username = "", password = "", identityToken = "", registryToken = "", auth = "" } = credentials;
  const decoded = auth === "" ? undefined : decodeAuth(auth);
  if (username !== "") {
    if (decoded !== undefined && (decoded.username !== username || decoded.password !== password)) {
      throw new AgentError(
        "InvalidArgument",
        "Invalid registry credentials: auth holds another login than username and password",
      );
    }
    return { kind: "password", username, password };
  }
  if (identityToken !== "") return { kind: "identityToken", token: headerSafe(identityToken, "identity token") };
  if (decoded !== undefined) return { kind: "password", ...decoded };
  if (registryToken !== "") return { kind: "registryToken", token: headerSafe(registryToken, "registry token") };
  return anonymous;
}

/** The Authorization header of a name and password, RFC 7617. */
export function basicValue({ username, password }: Login & { readonly kind: "password" }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** A name for equal credentials that does not tell them. */
export function credentialsKey(credentials: RegistryCredentials | Login | undefined): string {
  const entries = Object.entries(credentials ?? {}).filter(([, value]) => value !== "" && value !== undefined);
  return createHash("sha256").update(JSON.stringify(entries.sort())).digest("hex");
}

function isMeantFor(address: string, host: string): boolean {
  const named = URL.parse(/^https?:\/\//i.test(address) ? address : `https://${address}`)?.host;
  const wanted = URL.parse(`https://${host}`)?.host ?? host;
  if (named === undefined) return false;
  return named === wanted || (dockerNames.has(named) && dockerNames.has(wanted));
}

function decodeAuth(auth: string): { readonly username: string; readonly password: string } {
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon <= 0)
    throw new AgentError("InvalidArgument", 'Invalid registry credentials: auth must be base64 of "user:password"');
  // Docker's own tools have padded passwords with NULs.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/^\0+|\0+$/g, "") };
}

function headerSafe(token: string, what: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new AgentError(
    "InvalidArgument",
    `Invalid registry credentials: the ${what} must be printable ASCII without spaces`,
  );
}
