import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { AgentError, errorText } from "../../common/errors.ts";
import type { SandboxService } from "../../sandbox/sandbox-service.ts";
import type { CarriedStreams } from "./command-channels.ts";
import { serveCommand } from "./command-channels.ts";
import type { CommandOutcome } from "./command-status.ts";
import type { UpgradePlan } from "./plan-upgrade.ts";
import { forwardOverChannels, forwardOverSpdy } from "./port-forward.ts";
import { acceptSpdyCommand } from "./spdy-command.ts";
import type { StreamRequest } from "./stream-request.ts";
import { acceptWebSocketCommand } from "./websocket-command.ts";

/** What streams lead to. */
export type StreamBackend = Pick<SandboxService, "exec" | "attach" | "dial">;

/** A connection whose client asked for an upgrade. */
export interface UpgradingConnection {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came after the request. */
  readonly head: Buffer;
}

export type AcceptedPlan = Exclude<UpgradePlan, { readonly kind: "refuse" }>;
type CommandRequest = Exclude<StreamRequest, { readonly kind: "portforward" }>;

/** As much as Kubernetes' own servers take in one message. */
const mostMessageBytes = 32 << 20;
/** A tunnel's messages are pieces of SPDY frames. */
const mostTunnelMessageBytes = 1 << 20;

/**
 * Answers the upgrade and serves what was asked for, to its end.
 * @param stop aborts when the agent ends
 * @returns how a command ended, or what broke a connection
 * @throws AgentError when the client never got as far as a command
 */
export async function serveStream(
  connection: UpgradingConnection,
  plan: AcceptedPlan,
  request: StreamRequest,
  backend: StreamBackend,
  stop: AbortSignal,
): Promise<CommandOutcome | undefined> {
  if (request.kind !== "portforward") {
    const carried = await acceptCommand(connection, plan, request);
    return await serveCommand(carried, stop, async (streams) => {
      if (request.kind === "exec") {
        const { argv, wanted } = request;
        const exitCode = await backend.exec(request.containerId, { argv, tty: wanted.tty }, streams);
        return { kind: "exited", exitCode };
      }
      await backend.attach(request.containerId, streams);
      return { kind: "detached" };
    });
  }
  const dial = (port: number) => backend.dial(request.sandboxId, port);
  switch (plan.kind) {
    case "spdy":
      acceptSpdy(connection, plan.protocol);
      return failureOf(await forwardOverSpdy(connection.socket, connection.head, dial, stop));
    case "tunnel": {
      const webSocket = await acceptWebSocket(connection, plan.protocol, mostTunnelMessageBytes);
      const transport = createWebSocketStream(webSocket);
      return failureOf(await forwardOverSpdy(transport, Buffer.alloc(0), dial, stop));
    }
    case "channels": {
      const webSocket = await acceptWebSocket(connection, plan.protocol.name, mostMessageBytes);
      await forwardOverChannels(webSocket, plan.protocol, request.ports, dial, stop);
      return undefined;
    }
    default:
      return plan satisfies never;
  }
}

async function acceptCommand(
  connection: UpgradingConnection,
  plan: AcceptedPlan,
  { wanted }: CommandRequest,
): Promise<CarriedStreams> {
  if (plan.kind === "channels") {
    const webSocket = await acceptWebSocket(connection, plan.protocol.name, mostMessageBytes);
    return acceptWebSocketCommand(webSocket, plan.protocol, wanted);
  }
  acceptSpdy(connection, plan.protocol);
  return await acceptSpdyCommand(connection.socket, connection.head, plan.protocol, wanted);
}

function acceptSpdy({ socket }: UpgradingConnection, protocol: string): void {
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    `X-Stream-Protocol-Version: ${protocol}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
}

function failureOf(error: Error | undefined): CommandOutcome | undefined {
  return error === undefined ? undefined : { kind: "failed", message: errorText(error) };
}

/** @throws AgentError InvalidArgument when the handshake is wrong; ws has answered then */
function acceptWebSocket(
  { request, socket, head }: UpgradingConnection,
  protocol: string,
  maxPayload: number,
): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload,
  });
  // The choice is made already; and ws would refuse the tunnel's name, which has a slash.
  delete request.headers["sec-websocket-protocol"];
  server.on("headers", (lines) => {
    if (protocol !== "") lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  server.on("wsClientError", (error, refused) => {
    refused.end(`HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    reject(new AgentError("InvalidArgument", "The client's WebSocket handshake is wrong", { cause: error }));
  });
  server.handleUpgrade(request, socket, head, resolve);
  return promise;
}
