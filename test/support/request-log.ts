import { once } from "node:events";
import { createServer, request, type Server } from "node:http";

/** A reverse proxy before a registry that notes every request it passes on. */
export class RequestLog implements AsyncDisposable {
  readonly #server: Server;
  /** "GET /v2/app/blobs/sha256:…" each, since the last {@link take}. */
  #requests: string[] = [];
  #holds: ((path: string) => boolean) | undefined;
  #held: (() => void)[] = [];

  private constructor(target: string) {
    const [host = "", port] = target.split(":");
    this.#server = createServer((incoming, answer) => {
      const { method = "", url = "", headers } = incoming;
      this.#requests.push(`${method} ${url}`);
      const pass = () => {
        const onward = request({ host, port, method, path: url, headers }, (got) => {
          answer.writeHead(got.statusCode ?? 502, got.headers);
          got.pipe(answer);
        });
        onward.on("error", () => answer.destroy());
        incoming.pipe(onward);
      };
      if (this.#holds?.(url)) this.#held.push(pass);
      else pass();
    });
  }

  /** @param target "HOST:PORT" of the registry */
  static async start(target: string): Promise<RequestLog> {
    const log = new RequestLog(target);
    log.#server.listen(0, "127.0.0.1");
    await once(log.#server, "listening");
    return log;
  }

  /** "127.0.0.1:PORT" */
  get host(): string {
    const address = this.#server.address();
    return address === null || typeof address === "string" ? "" : `127.0.0.1:${address.port}`;
  }

  /** The requests since the last time, oldest first. */
  take(): readonly string[] {
    const requests = this.#requests;
    this.#requests = [];
    return requests;
  }

  /** Keeps the requests of these paths waiting until {@link release}. */
  hold(paths: (path: string) => boolean): void {
    this.#holds = paths;
  }

  release(): void {
    this.#holds = undefined;
    for (const pass of this.#held.splice(0)) pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
