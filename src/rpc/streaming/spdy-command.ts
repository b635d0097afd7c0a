import type { Duplex } from "node:stream";
import { AgentError } from "../../common/errors.ts";
import type { CarriedStreams, WantedStreams } from "./command-channels.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import type { SpdyStream } from "./spdy-stream.ts";

const streamTypes = ["error", "stdin", "stdout", "stderr", "resize"] as const;
type StreamType = (typeof streamTypes)[number];

/** How long a client may take to open the streams it asked for. */
const openTimeoutMs = 30_000;

/**
 * Waits until the client has opened the streams of an exec or attach, one for each part it asked for.
 * @param protocol one of spdyCommandProtocols
 * @throws AgentError DeadlineExceeded, Cancelled when the client goes; the connection is closed then
 */
export async function acceptSpdyCommand(
  transport: Duplex,
  head: Buffer,
  protocol: string,
  wanted: WantedStreams,
): Promise<CarriedStreams> {
  const expected = expectedStreams(protocol, wanted);
  const streams = new Map<StreamType, SpdyStream>();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const connection = new SpdyConnection(transport, head, {
    mostStreams: streamTypes.length,
    onStream: (stream) => {
      const type = streamTypes.find((name) => name === stream.headers["streamtype"]);
      if (type === undefined || !expected.includes(type) || streams.has(type)) return false;
      streams.set(type, stream);
      if (streams.size === expected.length) resolve();
      return true;
    },
  });
  void connection.closed.then(() =>
    reject(new AgentError("Cancelled", "The client went before its streams were open")),
  );
  const missing = () => expected.filter((type) => !streams.has(type)).join(", ");
  const timer = setTimeout(
    () => reject(new AgentError("DeadlineExceeded", `The client did not open its streams in time: ${missing()}`)),
    openTimeoutMs,
  );
  try {
    await complete;
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return carriedBy(connection, streams, protocol);
}

/** Pure: the types of the streams that a client opens. */
export function expectedStreams(protocol: string, wanted: WantedStreams): readonly StreamType[] {
  const canResize = protocol === "v3.channel.k8s.io" || protocol === "v4.channel.k8s.io";
  return streamTypes.filter((type) => {
    if (type === "error") return true;
    return type === "resize" ? wanted.tty && canResize : wanted[type];
  });
}

function carriedBy(
  connection: SpdyConnection,
  streams: ReadonlyMap<StreamType, SpdyStream>,
  protocol: string,
): CarriedStreams {
  const error = streams.get("error");
  if (error === undefined) throw new AgentError("Internal", "There is no error stream");
  // Nothing comes on these, but an end: read, so that they close when both sides are done.
  for (const type of ["error", "stdout", "stderr"] as const) streams.get(type)?.resume();
  return {
    stdin: streams.get("stdin"),
    stdout: streams.get("stdout"),
    stderr: streams.get("stderr"),
    resize: streams.get("resize"),
    error,
    status: protocol === "v4.channel.k8s.io" ? "json" : "text",
    closed: connection.closed,
    end: () => connection.end(),
  };
}
