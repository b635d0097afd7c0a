import { parse } from "yaml";
import { z } from "zod";
import { parseDuration } from "../common/duration.ts";
import type { Manifest } from "./manifest.ts";
import { manifestFault, readPart } from "./manifest-fault.ts";

/** Which pods pull from which instances of Container Registry without secrets: the ConfigMap kube-system/acr-configuration. */
export interface AcrConfiguration {
  /** undefined: every one. */
  readonly namespaces: readonly string[] | undefined;
  /** undefined: every one. */
  readonly serviceAccounts: readonly string[] | undefined;
  /** How long before its end a token is fetched anew. */
  readonly expiringThresholdMs: number;
  readonly registries: readonly AcrRegistry[];
}

export interface AcrRegistry {
  /** "": the Personal edition. */
  readonly instanceId: string;
  /** "": this machine's own. */
  readonly regionId: string;
  /** Hosts, lower case; empty: all that the instance has. */
  readonly domains: readonly string[];
  /** Whether roles of other accounts would have to be assumed. */
  readonly crossAccount: boolean;
}

const text = z.string("must be text: quote it");
const duration = text.refine((value) => parseDuration(value) !== undefined, 'must be a duration such as "15m"');
const dataSchema = z.looseObject(
  {
    "service-account": text.default("default"),
    "watch-namespace": text.default("default"),
    "expiring-threshold": duration.default("15m").transform((value) => parseDuration(value) ?? 0),
    "acr-registry-info": text.default(""),
  },
  "must be a ConfigMap's data",
);
const arn = text.nullish();
const registriesSchema = z
  .array(
    z.looseObject({
      instanceId: text.nullish(),
      regionId: text.nullish(),
      domains: text.nullish(),
      rrsaRoleARN: arn,
      rrsaOIDCProviderRoleARN: arn,
      assumeRoleARN: arn,
    }),
    "must be a list of registries",
  )
  .nullish();

/** Whether the manifest is the ConfigMap that {@link parseAcrConfiguration} reads. */
export function isAcrConfiguration({ apiVersion, kind, name, namespace }: Manifest): boolean {
  return apiVersion === "v1" && kind === "ConfigMap" && name === "acr-configuration" && namespace === "kube-system";
}

/** @throws AgentError InvalidArgument naming file, line and key */
export function parseAcrConfiguration(manifest: Manifest): AcrConfiguration {
  const data = readPart(
    manifest,
    ["data"],
    dataSchema.default(() => dataSchema.parse({})),
  );
  const namespaces = listOf(data["watch-namespace"]);
  const serviceAccounts = listOf(data["service-account"]);
  return {
    namespaces: namespaces.includes("all") ? undefined : namespaces,
    serviceAccounts: serviceAccounts.includes("*") ? undefined : serviceAccounts,
    expiringThresholdMs: data["expiring-threshold"],
    registries: parseRegistries(manifest, data["acr-registry-info"]),
  };
}

/** The key holds YAML, as text. */
function parseRegistries(manifest: Manifest, yaml: string): readonly AcrRegistry[] {
  const path = ["data", "acr-registry-info"];
  let value: unknown;
  try {
    value = parse(yaml, { maxAliasCount: 10, prettyErrors: false });
  } catch (error) {
    throw manifestFault(
      manifest,
      path,
      `must be a YAML list: ${error instanceof Error ? error.message : "not understood"}`,
    );
  }
  const result = registriesSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw manifestFault(manifest, path, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not understood"}`);
  }
  return (result.data ?? []).map(({ instanceId, regionId, domains, rrsaRoleARN, assumeRoleARN, ...others }) => ({
    instanceId: instanceId ?? "",
    regionId: regionId ?? "",
    domains: listOf(domains ?? "").map((domain) => domain.toLowerCase()),
    crossAccount: [rrsaRoleARN, assumeRoleARN, others.rrsaOIDCProviderRoleARN].some((role) => (role ?? "") !== ""),
  }));
}

function listOf(texts: string): readonly string[] {
  return texts
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
