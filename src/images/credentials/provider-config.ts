import { parseDocument } from "yaml";
import { z } from "zod";
import { parseDuration } from "../../common/duration.ts";
import { AgentError } from "../../common/errors.ts";
import { type ImagePattern, parseImagePattern } from "./image-pattern.ts";

/** One plugin of a kubelet's CredentialProviderConfig. */
export interface CredentialProvider {
  readonly name: string;
  readonly matchImages: readonly ImagePattern[];
  readonly defaultCacheMs: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const configApiVersion = "kubelet.config.k8s.io/v1";
export const pluginApiVersion = "credentialprovider.kubelet.k8s.io/v1";

const duration = z.string("must be text").transform((text, context) => {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  context.addIssue('must be a duration such as "12h"');
  return z.NEVER;
});
const pattern = z.string("must be text").transform((text, context) => {
  const parsed = parseImagePattern(text);
  if (parsed !== undefined) return parsed;
  context.addIssue('must be a host, such as "*.registry.io", perhaps with port and path');
  return z.NEVER;
});
const provider = z.strictObject({
  name: z
    .string("must be text")
    .regex(/^[\w.+-]{1,100}$/, "must be the name of a program, without a directory")
    .refine((name) => name !== "." && name !== "..", "must be the name of a program"),
  matchImages: z.array(pattern, "must be a list of patterns").min(1, "must name images"),
  defaultCacheDuration: duration,
  apiVersion: z.literal(pluginApiVersion, { error: `must be ${JSON.stringify(pluginApiVersion)}` }),
  args: z.array(z.string(), "must be a list of text").nullish(),
  env: z.array(z.strictObject({ name: z.string().regex(/^[A-Za-z_]\w*$/), value: z.string() })).nullish(),
  tokenAttributes: z.undefined({ error: "not built yet: service account tokens are not handed to plugins" }).optional(),
});
const schema = z.strictObject({
  apiVersion: z.literal(configApiVersion, { error: `must be ${JSON.stringify(configApiVersion)}` }),
  kind: z.literal("CredentialProviderConfig", { error: 'must be "CredentialProviderConfig"' }),
  providers: z.array(provider, "must be a list").min(1, "must name a plugin"),
});

/**
 * Reads a CredentialProviderConfig, YAML or JSON.
 * @param file for errors
 * @throws AgentError InvalidArgument for the first fault, naming the key
 */
export function parseProviderConfig(file: string, text: string): readonly CredentialProvider[] {
  const fail = (message: string) => new AgentError("InvalidArgument", `Invalid ${JSON.stringify(file)}: ${message}`);
  const document = parseDocument(text, { prettyErrors: false });
  const fault = document.errors[0];
  if (fault !== undefined) throw fail(fault.message);
  const result = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (!result.success) {
    const issue = result.error.issues[0];
    const path = issue?.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("") ?? "";
    throw fail(`${path.slice(1)}${path === "" ? "" : ": "}${issue?.message ?? "not understood"}`);
  }
  const { providers } = result.data;
  const twice = providers.find(({ name }, index) => providers.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw fail(`providers: ${JSON.stringify(twice.name)} is there twice`);
  return providers.map(({ name, matchImages, defaultCacheDuration, args, env }) => ({
    name,
    matchImages,
    defaultCacheMs: defaultCacheDuration,
    args: args ?? [],
    env: Object.fromEntries((env ?? []).map((variable) => [variable.name, variable.value])),
  }));
}
