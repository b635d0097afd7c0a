import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** How a connection through the proxy goes wrong. All unset: it does not. */
export interface ProxyFaults {
  /** Breaks each connection after this many bytes of answers. */
  readonly cutAfterBytes?: number;
  /** Only the first so many connections are broken; later ones work. Default all. */
  readonly cutConnections?: number;
  /** Delay before each piece of an answer is passed on. */
  readonly delayMs?: number;
  /** Takes requests and never answers. */
  readonly silent?: boolean;
}

/** A TCP proxy before a registry that can be slow, mute, or break off mid-answer. */
export class RegistryProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: string;
  #faults: ProxyFaults = {};
  #cuts = 0;
  /** Bytes of answers passed on so far. */
  sentBytes = 0;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  /** @param target "HOST:PORT" of the registry */
  static async start(target: string): Promise<RegistryProxy> {
    const proxy = new RegistryProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** "127.0.0.1:PORT" */
  get host(): string {
    const address = this.#server.address();
    return address === null || typeof address === "string" ? "" : `127.0.0.1:${address.port}`;
  }

  /** What happens to bytes from now on. */
  set faults(faults: ProxyFaults) {
    this.#faults = faults;
    this.#cuts = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(client: Socket): void {
    const [host = "", port] = this.#target.split(":");
    const upstream = connect(Number(port), host);
    for (const [socket, other] of [[client, upstream] as const, [upstream, client] as const]) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(upstream);
    let passed = 0;
    upstream.on("data", (chunk: Buffer) => {
      const { cutAfterBytes = Number.POSITIVE_INFINITY, cutConnections = Number.POSITIVE_INFINITY } = this.#faults;
      if (this.#faults.silent) return;
      const allowed = this.#cuts < cutConnections ? Math.max(0, cutAfterBytes - passed) : chunk.length;
      const part = chunk.subarray(0, allowed);
      passed += part.length;
      this.sentBytes += part.length;
      upstream.pause();
      setTimeout(() => {
        client.write(part, () => upstream.resume());
        if (part.length < chunk.length) {
          this.#cuts++;
          client.destroy();
        }
      }, this.#faults.delayMs ?? 0);
    });
  }
}
