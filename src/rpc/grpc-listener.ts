import { once } from "node:events";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { welcome } from "./old-client.ts";

/** A unix socket whose connections a gRPC server serves, once each has shown what client it is. */
export class GrpcListener {
  readonly #listener: NetServer;
  /** Connections that have asked for nothing yet. */
  readonly #waiting = new Set<Socket>();

  private constructor(server: Server) {
    // Only root and the socket's group get this far: the socket's mode is its credential.
    const { injectConnection } = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = createServer((socket) => {
      this.#waiting.add(socket);
      socket.once("close", () => this.#waiting.delete(socket));
      welcome(socket, (connection) => {
        this.#waiting.delete(socket);
        injectConnection(connection);
      });
    });
  }

  /** @throws the system's error when the path can't be bound */
  static async bind(server: Server, path: string): Promise<GrpcListener> {
    const bound = new GrpcListener(server);
    bound.#listener.listen(path);
    await once(bound.#listener, "listening");
    return bound;
  }

  /** Takes no more connections and ends those that ask for nothing. Resolves once the last one has ended. */
  async close(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    for (const socket of this.#waiting) socket.destroy();
    await closed;
  }
}
