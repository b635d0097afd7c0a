import {
  field,
  type JsonObject,
  malformed,
  parseJsonDocument,
  readObject,
  readText,
  readTextMap,
} from "../json-document.ts";
import type { ImageReference } from "../reference.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import { matchesImage, parseImagePattern } from "./image-pattern.ts";

/** A docker config.json, as far as credentials go. */
export interface DockerConfig {
  readonly auths: readonly { readonly key: string; readonly credentials: RegistryCredentials }[];
  /** Helper names by registry host. */
  readonly credHelpers: Readonly<Record<string, string>>;
  /** The helper of every other registry; "": none. */
  readonly credsStore: string;
}

const maxMapCharacters = 256 * 1024;

/**
 * Reads a docker config.json. Keys that are not about credentials are let be.
 * @param what names it in errors
 * @throws AgentError FailedPrecondition without a word of what it holds
 */
export function parseDockerConfig(bytes: Uint8Array, what: string): DockerConfig {
  const json = parseJsonDocument(bytes, what);
  const auths = readObject(field(json, "auths") ?? {}, `${what}, auths`);
  const helpers = readTextMap(json, "credHelpers", what, maxMapCharacters);
  const store = readText(json, "credsStore", what);
  for (const name of [...Object.values(helpers), ...(store === "" ? [] : [store])]) {
    // It becomes part of a program's name.
    if (!/^[\w.-]{1,100}$/.test(name))
      throw malformed(what, "a credential helper's name is letters, digits, '.', '_' and '-'");
  }
  return {
    auths: Object.entries(auths).map(([key, entry], index) => ({
      key,
      // A key may hold a user's name; its place is told instead.
      credentials: readEntry(readObject(entry, `${what}, auths[${index}]`), `${what}, auths[${index}]`),
    })),
    credHelpers: helpers,
    credsStore: store,
  };
}

/** The credentials written for an image: longest path first, then in the order of the file. */
export function writtenCredentials({ auths }: DockerConfig, reference: ImageReference): readonly RegistryCredentials[] {
  return auths
    .flatMap(({ key, credentials }) => {
      const pattern = parseImagePattern(key);
      return pattern !== undefined && matchesImage(pattern, reference) ? [{ credentials, path: pattern.path }] : [];
    })
    .filter(({ credentials }) => Object.keys(credentials).length > 0)
    .toSorted((a, b) => b.path.length - a.path.length)
    .map(({ credentials }) => credentials);
}

/** The name of the helper that knows an image's registry, or undefined. */
export function helperOf({ credHelpers, credsStore }: DockerConfig, reference: ImageReference): string | undefined {
  for (const [host, name] of Object.entries(credHelpers)) {
    const pattern = parseImagePattern(host);
    if (pattern !== undefined && matchesImage(pattern, reference)) return name;
  }
  return credsStore === "" ? undefined : credsStore;
}

function readEntry(json: JsonObject, what: string): RegistryCredentials {
  const parts = {
    username: readText(json, "username", what),
    password: readText(json, "password", what),
    auth: readText(json, "auth", what),
    identityToken: readText(json, "identitytoken", what),
    registryToken: readText(json, "registrytoken", what),
  };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== ""));
}
