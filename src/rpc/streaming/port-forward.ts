import type { Duplex } from "node:stream";
import type WebSocket from "ws";
import type { ChannelProtocol } from "./channel-codec.ts";
import { type Dial, forwardConnection } from "./forward-connection.ts";
import { PortForwardPairs } from "./port-forward-pairs.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import type { SpdyStream } from "./spdy-stream.ts";
import { WebSocketChannels } from "./websocket-channels.ts";

/** How long a connection's second stream may take to come. */
const pairTimeoutMs = 30_000;
/** Two for each connection that is forwarded at once. */
const mostStreams = 2_000;

/**
 * Forwards connections, as many as the client opens, until it goes or the agent ends. Never rejects.
 * @returns what broke the connection, or nothing
 */
export async function forwardOverSpdy(
  transport: Duplex,
  head: Buffer,
  dial: Dial,
  stop: AbortSignal,
  timeoutMs = pairTimeoutMs,
): Promise<Error | undefined> {
  const pairs = new PortForwardPairs<SpdyStream>();
  const timers = new Map<string, NodeJS.Timeout>();
  const settle = (requestId: string) => {
    clearTimeout(timers.get(requestId));
    timers.delete(requestId);
  };
  const giveUp = (requestId: string) => {
    settle(requestId);
    const { data, error } = pairs.abandon(requestId);
    data?.destroy();
    error?.end("The request's other stream did not come in time", () => error.destroy());
  };
  const connection = new SpdyConnection(transport, head, {
    mostStreams,
    onStream: (stream) => {
      const step = pairs.add(stream);
      if (step.kind === "refuse") return false;
      if (step.kind === "wait") {
        timers.set(
          step.requestId,
          setTimeout(() => giveUp(step.requestId), timeoutMs),
        );
      } else {
        settle(step.requestId);
        step.pair.error.resume();
        void forwardConnection(step.pair, dial);
      }
      return true;
    },
  });
  const end = () => connection.end();
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  const failure = await connection.closed;
  stop.removeEventListener("abort", end);
  for (const requestId of timers.keys()) settle(requestId);
  return failure;
}

/** The older way: one connection for each port that was asked for, on two channels each. Never rejects. */
export async function forwardOverChannels(
  socket: WebSocket,
  protocol: ChannelProtocol,
  ports: readonly number[],
  dial: Dial,
  stop: AbortSignal,
): Promise<void> {
  const dataChannels = ports.map((_, index) => 2 * index);
  const channels = new WebSocketChannels(socket, protocol, {
    readable: dataChannels,
    writable: dataChannels.flatMap((channel) => [channel, channel + 1]),
  });
  const end = () => channels.end();
  stop.addEventListener("abort", end, { once: true });
  const forwards = ports.map((port, index) => {
    const [data, error] = [channels.channel(2 * index), channels.channel(2 * index + 1)];
    // Each channel begins with the port it is for.
    const hello = Buffer.alloc(2);
    hello.writeUInt16LE(port);
    data.write(hello);
    error.write(hello);
    error.resume();
    return forwardConnection({ port, data, error }, dial);
  });
  if (stop.aborted) end();
  await Promise.race([Promise.all(forwards), channels.closed]);
  channels.end();
  await channels.closed;
  stop.removeEventListener("abort", end);
}
