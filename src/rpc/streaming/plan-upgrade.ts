import type { IncomingHttpHeaders } from "node:http";
import { type ChannelProtocol, commandChannelProtocols, portForwardChannelProtocols } from "./channel-codec.ts";

export type StreamKind = "exec" | "attach" | "portforward";

/** What a client's upgrade request becomes. */
export type UpgradePlan =
  | { readonly kind: "spdy"; readonly protocol: string }
  /** SPDY's bytes in binary WebSocket messages. */
  | { readonly kind: "tunnel"; readonly protocol: string }
  | { readonly kind: "channels"; readonly protocol: ChannelProtocol }
  | {
      readonly kind: "refuse";
      readonly status: 400 | 403;
      readonly message: string;
      readonly headers: Readonly<Record<string, string>>;
    };

export const portForwardProtocol = "portforward.k8s.io";
export const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`;

/** Newest first. v5 is WebSocket's alone. */
export const spdyCommandProtocols = [
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
] as const;

/** Chooses transport and protocol: the first of the client's choices that there is. */
export function planUpgrade(kind: StreamKind, headers: IncomingHttpHeaders): UpgradePlan {
  const upgrades = listOf(headers.upgrade).map((name) => name.toLowerCase());
  if (upgrades.includes("spdy/3.1")) return planSpdy(kind, listOf(headers["x-stream-protocol-version"]));
  if (upgrades.includes("websocket")) return planWebSocket(kind, listOf(headers["sec-websocket-protocol"]));
  return refuse(400, 'Unable to upgrade: the Upgrade header must be "SPDY/3.1" or "websocket"');
}

function planSpdy(kind: StreamKind, offered: readonly string[]): UpgradePlan {
  if (offered.length === 0) return refuse(400, "Unable to upgrade: X-Stream-Protocol-Version is required");
  const known: readonly string[] = kind === "portforward" ? [portForwardProtocol] : spdyCommandProtocols;
  const protocol = offered.find((name) => known.includes(name));
  if (protocol !== undefined) return { kind: "spdy", protocol };
  return refuse(403, noneOf(offered, known), { "X-Accepted-Stream-Protocol-Versions": known.join(", ") });
}

function planWebSocket(kind: StreamKind, offered: readonly string[]): UpgradePlan {
  const known = kind === "portforward" ? portForwardChannelProtocols : commandChannelProtocols;
  // Without an offer the one without a name is meant.
  for (const name of offered.length === 0 ? [""] : offered) {
    if (kind === "portforward" && name === tunnelProtocol) return { kind: "tunnel", protocol: tunnelProtocol };
    const protocol = known.find((each) => each.name === name);
    if (protocol !== undefined) return { kind: "channels", protocol };
  }
  const names = [...(kind === "portforward" ? [tunnelProtocol] : []), ...known.map(({ name }) => name)];
  return refuse(
    403,
    noneOf(
      offered,
      names.filter((name) => name !== ""),
    ),
  );
}

function noneOf(offered: readonly string[], known: readonly string[]): string {
  const shown = offered
    .slice(0, 10)
    .map((name) => JSON.stringify(name.slice(0, 100)))
    .join(", ");
  return `Unable to upgrade: the client offers ${shown}, this server has ${known.join(", ")}`;
}

function refuse(status: 400 | 403, message: string, headers: Readonly<Record<string, string>> = {}): UpgradePlan {
  return { kind: "refuse", status, message, headers };
}

/** A header's comma-separated values; Node has joined the lines of a header that came several times. */
function listOf(value: string | readonly string[] | undefined): readonly string[] {
  const text = typeof value === "string" ? value : (value ?? []).join(",");
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
