import type { TransportSettings } from "./blob-source.ts";

/** One host that serves a registry's content: a mirror, or the registry's own server. */
export interface RegistryHost {
  /** URL of the API without a final slash, such as "https://mirror.example/v2". */
  readonly baseUrl: string;
  /** Whether it may turn tags into digests. */
  readonly resolve: boolean;
  /** Whether content may be fetched from it. */
  readonly pull: boolean;
  /** Headers of every request to it; may be secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: TransportSettings;
  /** The registry the image is named after, when this host is another: sent as `ns`, so that one mirror can serve many. */
  readonly mirrorOf: string | undefined;
}
