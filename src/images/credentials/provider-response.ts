import { parseDuration } from "../../common/duration.ts";
import { AgentError } from "../../common/errors.ts";
import { field, parseJsonDocument, readObject, readText } from "../json-document.ts";
import type { ImageReference } from "../reference.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import { matchesImage, parseImagePattern } from "./image-pattern.ts";
import { pluginApiVersion } from "./provider-config.ts";

/** What a kubelet credential provider plugin answers. */
export interface ProviderResponse {
  readonly cacheKeyType: "Image" | "Registry" | "Global";
  /** undefined: the configuration's. 0: not at all. */
  readonly cacheMs: number | undefined;
  /** By the patterns of images they are for, in the plugin's order. */
  readonly auth: readonly { readonly pattern: string; readonly credentials: RegistryCredentials }[];
}

/** What the plugin is asked, for its standard input. @param image the full reference */
export function providerRequest(image: string): string {
  return JSON.stringify({ apiVersion: pluginApiVersion, kind: "CredentialProviderRequest", image });
}

/** @param what names the answer in errors @throws AgentError FailedPrecondition without a word of what it holds */
export function parseProviderResponse(output: string, what: string): ProviderResponse {
  const json = parseJsonDocument(Buffer.from(output), what);
  const fail = (message: string) => new AgentError("FailedPrecondition", `Invalid ${what}: ${message}`);
  if (field(json, "apiVersion") !== pluginApiVersion || field(json, "kind") !== "CredentialProviderResponse") {
    throw fail(`it must be a CredentialProviderResponse of ${pluginApiVersion}`);
  }
  const cacheKeyType = field(json, "cacheKeyType");
  if (cacheKeyType !== "Image" && cacheKeyType !== "Registry" && cacheKeyType !== "Global") {
    throw fail("cacheKeyType must be Image, Registry or Global");
  }
  const duration = readText(json, "cacheDuration", what);
  const cacheMs = duration === "" ? undefined : parseDuration(duration);
  if (duration !== "" && cacheMs === undefined) throw fail('cacheDuration must be a duration such as "6h"');
  const auth = Object.entries(readObject(field(json, "auth") ?? {}, `${what}, auth`)).map(([pattern, value], index) => {
    const login = readObject(value, `${what}, auth[${index}]`);
    const [username, password] = ["username", "password"].map((name) =>
      readText(login, name, `${what}, auth[${index}]`),
    );
    return { pattern, credentials: { username: username ?? "", password: password ?? "" } };
  });
  return { cacheKeyType, cacheMs, auth };
}

/** The credentials of an answer that are for the image, longest path first. */
export function providedCredentials(
  { auth }: ProviderResponse,
  reference: ImageReference,
): readonly RegistryCredentials[] {
  return auth
    .flatMap(({ pattern: text, credentials }) => {
      const pattern = parseImagePattern(text);
      return pattern !== undefined && matchesImage(pattern, reference) ? [{ credentials, path: pattern.path }] : [];
    })
    .toSorted((a, b) => b.path.length - a.path.length)
    .map(({ credentials }) => credentials);
}
