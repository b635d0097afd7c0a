import type { CriClient } from "../test/support/cri-client.ts";
import type { Daemon } from "./daemon.ts";
import type { BenchImage } from "./images.ts";

export type SideName = "podling" | "containerd";

/** One of the two that are compared. Both answer CRI and take the same requests. */
export interface Side {
  readonly name: SideName;
  readonly socket: string;
  readonly client: CriClient;
  readonly daemon: Daemon;
  /** Shows the layer directories of an image that is there, topmost first, until the work is done. */
  withLayers<T>(image: BenchImage, work: (directories: readonly string[]) => Promise<T>): Promise<T>;
  /** Names of everything that images have on the disk: equal before a pull and after the removal. */
  stored(): readonly string[];
}

export type Sides = readonly [podling: Side, containerd: Side];
