import type WebSocket from "ws";
import type { ChannelProtocol } from "./channel-codec.ts";
import type { CarriedStreams, WantedStreams } from "./command-channels.ts";
import { WebSocketChannels } from "./websocket-channels.ts";

const stdin = 0;
const stdout = 1;
const stderr = 2;
const error = 3;
const resize = 4;

/** The channels of an exec or attach; the client opens none, they are there at once. */
export function acceptWebSocketCommand(
  socket: WebSocket,
  protocol: ChannelProtocol,
  wanted: WantedStreams,
): CarriedStreams {
  const outputs = [...(wanted.stdout ? [stdout] : []), ...(wanted.stderr ? [stderr] : [])];
  const channels = new WebSocketChannels(socket, protocol, {
    readable: [...(wanted.stdin ? [stdin] : []), resize],
    writable: [...outputs, error],
  });
  const of = (number: number, isWanted: boolean) => (isWanted ? channels.channel(number) : undefined);
  // Tells clients that wait for it that the connection stands.
  channels.channel(outputs[0] ?? error).write(Buffer.alloc(0));
  return {
    stdin: of(stdin, wanted.stdin),
    stdout: of(stdout, wanted.stdout),
    stderr: of(stderr, wanted.stderr),
    error: channels.channel(error),
    resize: channels.channel(resize),
    status: protocol.status,
    closed: channels.closed,
    end: () => channels.end(),
  };
}
