import type { Digest } from "../common/ids.ts";

/** Where and how one compressed blob can be fetched: plain data, so that it can be posted to a worker thread. */
export interface BlobSource {
  readonly digest: Digest;
  /** Size of the blob as its descriptor promises. */
  readonly sizeBytes: number;
  /** Places to try in order; at least one. */
  readonly endpoints: readonly BlobEndpoint[];
  readonly limits: TransferLimits;
}

/** One registry host's copy of a blob. */
export interface BlobEndpoint {
  /** Full http or https URL of the blob. */
  readonly url: string;
  /** Headers for this URL's origin only: authorization and what hosts.toml adds. Secrets; never logged. */
  readonly privateHeaders: Readonly<Record<string, string>>;
  readonly transport: TransportSettings;
}

/** How to connect to one registry host. */
export interface TransportSettings {
  readonly tls: TlsSettings;
  readonly dialTimeoutMs: number;
}

export interface TlsSettings {
  /** PEM texts trusted besides the system's certificates. */
  readonly ca: readonly string[];
  /** PEM pairs offered when the server asks for a client certificate. */
  readonly client: readonly { readonly cert: string; readonly key: string }[];
  readonly skipVerify: boolean;
}

/** When a transfer counts as failed, and how often it is tried again. */
export interface TransferLimits {
  /** Longest wait for the response's headers. */
  readonly headersTimeoutMs: number;
  /** Longest time without a single byte. */
  readonly stallTimeoutMs: number;
  /** Longest time a manifest, a configuration or a token may take as a whole, however steadily it trickles. */
  readonly documentTimeoutMs: number;
  /** How long a host may be slower than {@link minBytesPerSecond} on average, in time spent waiting for it. */
  readonly rateWindowMs: number;
  readonly minBytesPerSecond: number;
  /** Tries in a row that bring no byte before the endpoint is given up. */
  readonly triesWithoutProgress: number;
  /** Resumed connections of one blob, whatever the progress. */
  readonly maxResumes: number;
  /** First pause before another try; doubles up to {@link maxRetryDelayMs}, with jitter. */
  readonly retryDelayMs: number;
  /** Longest pause, also when Retry-After asks for more. */
  readonly maxRetryDelayMs: number;
}

export const defaultTransport: TransportSettings = {
  tls: { ca: [], client: [], skipVerify: false },
  dialTimeoutMs: 30_000,
};

export const defaultLimits: TransferLimits = {
  headersTimeoutMs: 30_000,
  stallTimeoutMs: 45_000,
  documentTimeoutMs: 120_000,
  rateWindowMs: 120_000,
  minBytesPerSecond: 1024,
  triesWithoutProgress: 5,
  maxResumes: 100,
  retryDelayMs: 250,
  maxRetryDelayMs: 60_000,
};
