import type { AcrConfiguration } from "../../manifests/acr-configuration.ts";
import { defaultLimits } from "../blob-source.ts";
import { ConnectionPool } from "../connection-pool.ts";
import { accessKeyFile, ramRoleKey } from "./access-keys.ts";
import { AcrClient } from "./acr-client.ts";
import { AcrCredentials } from "./acr-credentials.ts";
import type { CredentialSource } from "./credential-source.ts";
import { DockerCredentials } from "./docker-credentials.ts";
import { openProviderPlugins } from "./provider-plugin.ts";

/** Where a node finds credentials; empty texts stand for what there is not. */
export interface CredentialSettings {
  readonly dockerConfig: string;
  readonly credentialProviders: string;
  readonly credentialProviderBinDir: string;
  readonly acr: {
    readonly region: string;
    readonly endpoint: string;
    readonly accessKeyFile: string;
    readonly ramRole: string;
    readonly metadataEndpoint: string;
  };
}

/**
 * Opens the sources in the order in which their credentials are tried: Container Registry, plugins, docker config.
 * @param parts is given what must be closed
 * @throws AgentError InvalidArgument, FailedPrecondition for a CredentialProviderConfig that can't be used
 */
export function openCredentialSources(
  settings: CredentialSettings,
  acrConfiguration: () => AcrConfiguration | undefined,
  parts: AsyncDisposableStack,
): readonly CredentialSource[] {
  const { dockerConfig, credentialProviders, credentialProviderBinDir } = settings;
  const acr = openAcr(settings.acr, acrConfiguration, parts);
  const sources: readonly CredentialSource[] = [
    ...(acr === undefined ? [] : [acr]),
    ...(credentialProviders === "" ? [] : openProviderPlugins(credentialProviders, credentialProviderBinDir)),
    ...(dockerConfig === "" ? [] : [new DockerCredentials(dockerConfig)]),
  ];
  for (const source of sources) parts.use(source);
  return sources;
}

function openAcr(
  { region, endpoint, accessKeyFile: file, ramRole, metadataEndpoint }: CredentialSettings["acr"],
  configuration: () => AcrConfiguration | undefined,
  parts: AsyncDisposableStack,
): CredentialSource | undefined {
  if (file === "" && ramRole === "") return undefined;
  const accessKey = file === "" ? ramRoleKey(metadataEndpoint, ramRole, Date.now) : accessKeyFile(file);
  const pool = parts.use(new ConnectionPool());
  const tokens = new AcrClient({ pool, limits: defaultLimits, accessKey, endpoint, nowMs: Date.now });
  return new AcrCredentials({ tokens, configuration, region, nowMs: Date.now });
}
