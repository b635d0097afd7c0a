import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { loadPackage } from "../../src/common/load-proto.ts";
import { createLog } from "../../src/common/log.ts";
import type { ProtoGrpcType } from "../../src/generated/api.ts";
import type { ImageServiceClient } from "../../src/generated/runtime/v1/ImageService.ts";
import type { RuntimeServiceClient } from "../../src/generated/runtime/v1/RuntimeService.ts";
import { createServer, type RpcDeps } from "../../src/rpc/server.ts";

/** What a test replaces; anything else fails when it is called. */
export interface FakeParts {
  readonly sandboxes?: Partial<RpcDeps["sandboxes"]>;
  readonly streaming?: RpcDeps["streaming"];
  readonly images?: Partial<RpcDeps["images"]>;
  readonly usage?: Partial<RpcDeps["usage"]>;
  readonly events?: Partial<RpcDeps["events"]>;
  readonly log?: RpcDeps["log"];
}

/** The dependencies of the RPC server, stood in for at the boundary of SandboxService and Images only. */
export function fakeDeps(parts: FakeParts = {}): RpcDeps {
  const sandboxes: Partial<RpcDeps["sandboxes"]> = {
    handlers: () => ({
      names: ["crun", "runc"],
      defaultName: "runc",
      features: new Map([["runc", { userNamespaces: true, recursiveReadOnly: true }]]),
    }),
    status: () => ({
      runtimeReady: { ready: true, reason: "", message: "" },
      networkReady: { ready: false, reason: "NetworkPluginNotReady", message: "no router" },
    }),
    ...parts.sandboxes,
  };
  return {
    profile: "eci",
    version: "1.2.3",
    shownConfig: { stateDir: "/run/test" },
    log: parts.log ?? createLog("silent"),
    sandboxes: strict("sandboxes", sandboxes) as RpcDeps["sandboxes"],
    streaming: strict("streaming", parts.streaming ?? {}) as RpcDeps["streaming"],
    images: strict("images", parts.images ?? {}) as RpcDeps["images"],
    usage: strict("usage", parts.usage ?? {}) as RpcDeps["usage"],
    events: strict("events", parts.events ?? {}) as RpcDeps["events"],
  };
}

function strict(what: string, parts: object): object {
  return new Proxy(parts, {
    get: (target, name) => {
      if (name in target) return Reflect.get(target, name);
      throw new Error(`The test gave no ${what}.${String(name)}`);
    },
  });
}

export interface TestServer extends AsyncDisposable {
  readonly address: string;
  readonly server: ReturnType<typeof createServer>;
  readonly runtime: RuntimeServiceClient;
  readonly images: ImageServiceClient;
}

/** A short name of its own in the temporary directory: socket paths are bounded. */
export function temporarySocket(): string {
  return join(tmpdir(), `podling-rpc-${randomBytes(4).toString("hex")}`, "s.sock");
}

/** A real server on a real socket, with real clients whose limits are crictl's. */
export async function startServer(parts: FakeParts = {}): Promise<TestServer> {
  const address = temporarySocket();
  const server = createServer(fakeDeps(parts));
  await server.listen(address);
  const { runtime } = loadPackage("runtime/v1/api.proto") as unknown as ProtoGrpcType;
  const options = { "grpc.max_receive_message_length": 16 << 20, "grpc.max_send_message_length": 16 << 20 };
  const clients: readonly [RuntimeServiceClient, ImageServiceClient] = [
    new runtime.v1.RuntimeService(`unix:${address}`, credentials.createInsecure(), options),
    new runtime.v1.ImageService(`unix:${address}`, credentials.createInsecure(), options),
  ];
  return {
    address,
    server,
    runtime: clients[0],
    images: clients[1],
    [Symbol.asyncDispose]: async () => {
      for (const client of clients as readonly Client[]) client.close();
      await server.close(0);
      await rm(dirname(address), { recursive: true, force: true });
    },
  };
}

/** One unary call as a promise. */
export function ask<Response>(
  call: (done: (error: ServiceError | null, response?: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    call((error, response) => {
      if (error === null && response !== undefined) resolve(response);
      else reject(error);
    });
  });
}

/** The error of a call that has to fail. */
export async function refusal(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => {
      throw new Error("The call succeeded");
    },
    (error: ServiceError) => error,
  );
}

type AnyCall = (request: object, done: (error: ServiceError | null, response?: object) => void) => unknown;

/** A client's method of that name, whatever its messages are. */
export function callByName(client: object, name: string): AnyCall {
  return (Reflect.get(client, name) as AnyCall).bind(client);
}
