import type { WantedStreams } from "./command-channels.ts";

/** What an Exec, Attach or PortForward call has prepared, and its URL leads to. */
export type StreamRequest =
  | {
      readonly kind: "exec";
      readonly containerId: string;
      readonly argv: readonly string[];
      readonly wanted: WantedStreams;
    }
  | { readonly kind: "attach"; readonly containerId: string; readonly wanted: WantedStreams }
  | {
      readonly kind: "portforward";
      readonly sandboxId: string;
      /** For clients of the older WebSocket protocol; others name the port of each connection themselves. */
      readonly ports: readonly number[];
    };
