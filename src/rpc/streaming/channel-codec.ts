/**
 * Kubernetes' channels over WebSocket: a message's first byte (or character) is its channel. Sources: KEP-4006 and the
 * comments of k8s.io/streaming/pkg/httpstream/wsstream.
 */
export interface ChannelProtocol {
  /** As in Sec-WebSocket-Protocol; empty: the client offered none. */
  readonly name: string;
  readonly encoding: "binary" | "base64";
  /** What goes to the error channel at the end. */
  readonly status: "json" | "text";
  /** Whether a client can end a channel alone. */
  readonly halfClose: boolean;
}

export type ChannelMessage =
  | { readonly kind: "data"; readonly channel: number; readonly chunk: Buffer }
  | { readonly kind: "close"; readonly channel: number };

/** First byte of a v5 message that ends a channel. */
const closeSignal = 255;
const zero = 0x30;

/** Protocols of exec and attach. */
export const commandChannelProtocols: readonly ChannelProtocol[] = [
  { name: "v5.channel.k8s.io", encoding: "binary", status: "json", halfClose: true },
  { name: "v4.channel.k8s.io", encoding: "binary", status: "json", halfClose: false },
  { name: "v4.base64.channel.k8s.io", encoding: "base64", status: "json", halfClose: false },
  { name: "channel.k8s.io", encoding: "binary", status: "text", halfClose: false },
  { name: "base64.channel.k8s.io", encoding: "base64", status: "text", halfClose: false },
  { name: "", encoding: "binary", status: "text", halfClose: false },
];

/** Protocols of port-forward, but for the tunnel: two channels a port. */
export const portForwardChannelProtocols: readonly ChannelProtocol[] = [
  { name: "v4.channel.k8s.io", encoding: "binary", status: "text", halfClose: false },
  { name: "v4.base64.channel.k8s.io", encoding: "base64", status: "text", halfClose: false },
  { name: "", encoding: "binary", status: "text", halfClose: false },
];

/** @returns text for a text message, bytes for a binary one */
export function encodeMessage(protocol: ChannelProtocol, channel: number, chunk: Buffer): Buffer | string {
  if (protocol.encoding === "base64") return String.fromCharCode(zero + channel) + chunk.toString("base64");
  const message = Buffer.allocUnsafe(chunk.length + 1);
  message[0] = channel;
  chunk.copy(message, 1);
  return message;
}

/** @returns undefined for a message without a channel, or one that closes none */
export function decodeMessage(protocol: ChannelProtocol, message: Buffer): ChannelMessage | undefined {
  const [first, second] = message;
  if (first === undefined) return undefined;
  if (protocol.encoding === "base64") {
    if (first < zero) return undefined;
    return { kind: "data", channel: first - zero, chunk: Buffer.from(message.toString("latin1", 1), "base64") };
  }
  if (protocol.halfClose && first === closeSignal) {
    return second === undefined ? undefined : { kind: "close", channel: second };
  }
  return { kind: "data", channel: first, chunk: message.subarray(1) };
}
