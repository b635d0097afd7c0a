import { z } from "zod";
import type { Manifest } from "./manifest.ts";
import { manifestFault, readPart } from "./manifest-fault.ts";

/** A login for one registry. Every field is a secret but `serverAddress`. */
export interface RegistryLogin {
  /** Host, with or without scheme and path. */
  readonly serverAddress: string;
  readonly username?: string;
  readonly password?: string;
  /** Base64 of `user:password`. */
  readonly auth?: string;
  /** OAuth2 refresh token. */
  readonly identityToken?: string;
}

/** The logins of a Secret, by "namespace:name". */
export type PullSecrets = ReadonlyMap<string, readonly RegistryLogin[]>;

const dockerConfigType = "kubernetes.io/dockerconfigjson";
const key = ".dockerconfigjson";

const dataSchema = z.looseObject({ [key]: z.string("must be base64") }, `must hold "${key}"`);
const text = z.string().optional();
const configSchema = z.looseObject({
  auths: z.record(z.string(), z.looseObject({ username: text, password: text, auth: text, identitytoken: text })),
});

/** Whether the manifest is a Secret for pulling images. */
export function isPullSecret({ apiVersion, kind, body }: Manifest): boolean {
  return apiVersion === "v1" && kind === "Secret" && body["type"] === dockerConfigType;
}

/** @throws AgentError InvalidArgument naming file, line and field, and nothing of what is secret */
export function parsePullSecret(manifest: Manifest): readonly [name: string, logins: readonly RegistryLogin[]] {
  const plain = manifest.body["stringData"] !== undefined;
  const part = plain ? "stringData" : "data";
  const encoded = readPart(manifest, [part], dataSchema)[key];
  const config = configSchema.safeParse(
    readJson(plain ? encoded : Buffer.from(encoded ?? "", "base64").toString("utf8")),
  );
  if (!config.success) throw manifestFault(manifest, [part, key], 'must be the JSON of a Docker config with "auths"');
  const logins = Object.entries(config.data.auths).map(([serverAddress, login]): RegistryLogin => {
    const { username, password, auth, identitytoken } = login;
    return {
      serverAddress,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(auth !== undefined && { auth }),
      ...(identitytoken !== undefined && { identityToken: identitytoken }),
    };
  });
  return [`${manifest.namespace || "default"}:${manifest.name}`, logins];
}

/** The parser's own words would show a piece of the text. */
function readJson(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? "");
  } catch {
    return undefined;
  }
}
