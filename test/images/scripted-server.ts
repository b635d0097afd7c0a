import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Script = (request: SeenRequest, response: ServerResponse, count: number) => void;

/** A real HTTP server on loopback that behaves exactly as badly as a test wants. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
  }

  /** @param host address to listen on; 127.0.0.2 is another origin that is loopback as well */
  static async start(script: Script, host = "127.0.0.1"): Promise<ScriptedServer> {
    const server = createServer(async (incoming, response) => {
      let body = "";
      for await (const chunk of incoming) body += String(chunk);
      const seen = { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body };
      scripted.requests.push(seen);
      script(seen, response, scripted.requests.length);
    });
    const scripted = new ScriptedServer(server);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return scripted;
  }

  /** "address:port" */
  get host(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address}:${port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
