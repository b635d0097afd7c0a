import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";
import { protoPath as healthProto } from "grpc-health-check";
import { loadDefinition } from "../../src/common/load-proto.ts";
import type { ImageServiceDefinition } from "../../src/generated/runtime/v1/ImageService.ts";
import type { RuntimeServiceDefinition } from "../../src/generated/runtime/v1/RuntimeService.ts";

/** Without the index signature that the generated definitions inherit. */
type Named<Definition> = {
  [Name in keyof Definition as string extends Name ? never : number extends Name ? never : Name]: Definition[Name];
};
type Methods = Named<RuntimeServiceDefinition> & Named<ImageServiceDefinition>;
type RequestOf<Method> = Method extends { requestSerialize: (value: infer Request) => unknown } ? Request : never;
type ResponseOf<Method> = Method extends { responseDeserialize: (bytes: Buffer) => infer Response } ? Response : never;

export interface CallOptions {
  /** The call's deadline. Default 60,000. */
  readonly timeoutMs?: number;
  /** Ends the call from the client's side. */
  readonly signal?: AbortSignal;
}

const definition = { ...loadDefinition("runtime/v1/api.proto"), ...loadSync(healthProto) };
const sizeLimit = 16 * 1024 * 1024;

/** A typed CRI client on an agent's socket, with the shapes of src/generated. */
export class CriClient implements Disposable {
  readonly #client: Client;

  /** @param socket path of the agent's socket */
  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": sizeLimit,
      "grpc.max_send_message_length": sizeLimit,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Calls a method that answers once. @throws ServiceError with `code` and `details` */
  call<Name extends keyof Methods>(
    name: Name,
    request: RequestOf<Methods[Name]>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Methods[Name]>> {
    const service = this.#serviceOf(String(name));
    return this.#unary(service, String(name), request as object, options) as Promise<ResponseOf<Methods[Name]>>;
  }

  /**
   * Opens a stream and waits until the server has taken the call up. Leaving the iteration ends the call.
   * @throws ServiceError, from the call or from the iteration
   */
  async stream<Name extends keyof Methods>(
    name: Name,
    request: RequestOf<Methods[Name]>,
  ): Promise<AsyncIterableIterator<ResponseOf<Methods[Name]>>> {
    const method = this.#method(this.#serviceOf(String(name)), String(name));
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request as object);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    call.once("metadata", () => resolve());
    call.once("error", reject);
    await promise;
    return call[Symbol.asyncIterator]() as AsyncIterableIterator<ResponseOf<Methods[Name]>>;
  }

  /** What grpc.health.v1 says of the whole server: "SERVING", "NOT_SERVING" or "UNKNOWN". */
  async health(timeoutMs: number): Promise<string> {
    const answer = (await this.#unary("grpc.health.v1.Health", "Check", { service: "" }, { timeoutMs })) as {
      status: string | number;
    };
    return answer.status === 1 ? "SERVING" : String(answer.status);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #serviceOf(name: string): string {
    const services = ["runtime.v1.RuntimeService", "runtime.v1.ImageService"];
    return services.find((full) => name in (definition[full] ?? {})) ?? "";
  }

  #method(service: string, name: string): MethodDefinition<object, object> {
    const methods = definition[service];
    const method = methods !== undefined && !("format" in methods) ? methods[name] : undefined;
    if (method === undefined) throw new Error(`No method ${service}/${name}`);
    return method;
  }

  #unary(service: string, name: string, request: object, options: CallOptions): Promise<unknown> {
    const method = this.#method(service, name);
    const deadline = Date.now() + (options.timeoutMs ?? 60_000);
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline },
        (error, response) => (error === null ? resolve(response) : reject(error)),
      );
      options.signal?.addEventListener("abort", () => call.cancel(), { once: true });
    });
  }
}
