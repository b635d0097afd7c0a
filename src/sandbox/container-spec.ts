import type { ContainerSettings } from "../runtime/container-settings.ts";

export interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

/** CreateContainer's request, decoded and checked field by field. */
export interface ContainerSpec {
  readonly metadata: ContainerMetadata;
  /** The image as asked for: an id, a tag, a digest or a unique id prefix. Must be on the node already. */
  readonly image: string;
  /** What the user typed in the pod, if the caller told; else empty. */
  readonly userSpecifiedImage: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's log directory; empty: no log file. */
  readonly logPath: string;
  /** Signal name such as "SIGTERM"; empty: the image's, else SIGTERM. */
  readonly stopSignal: string;
  readonly settings: ContainerSettings;
}
