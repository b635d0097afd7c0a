import { Server, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type { MethodDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { loadPackage } from "../common/load-proto.ts";
import type { Log } from "../common/log.ts";
import type { ProtoGrpcType } from "../generated/api.ts";
import type { ImageServiceHandlers } from "../generated/runtime/v1/ImageService.ts";
import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import { type ContainerRpcDeps, containerRpcs } from "./container-rpcs.ts";
import { type EventRpcDeps, eventRpcs } from "./event-rpcs.ts";
import { type ExecRpcDeps, execRpcs } from "./exec-rpcs.ts";
import { GrpcListener } from "./grpc-listener.ts";
import { type ImageRpcDeps, imageRpcs } from "./image-rpcs.ts";
import { type InfoRpcDeps, infoRpcs } from "./info-rpcs.ts";
import { type MetricsRpcDeps, metricsRpcs } from "./metrics-rpcs.ts";
import type { RpcObserver } from "./rpc-metrics.ts";
import { type SandboxRpcDeps, sandboxRpcs } from "./sandbox-rpcs.ts";
import { serve } from "./serve.ts";
import { type StatsRpcDeps, statsRpcs } from "./stats-rpcs.ts";
import { claimSocket, planSocket, publishSocket } from "./unix-listener.ts";

/** Everything the RPCs work with. */
export type RpcDeps = SandboxRpcDeps &
  ContainerRpcDeps &
  ExecRpcDeps &
  EventRpcDeps &
  StatsRpcDeps &
  MetricsRpcDeps &
  ImageRpcDeps &
  InfoRpcDeps & { readonly log: Log; readonly observe?: RpcObserver };

/** What kubelet, crictl and containerd allow for one message. */
const maxMessageBytes = 16 * 1024 * 1024;
/** Calls that one connection may have open; long pulls, execs and streams count. */
const maxConcurrentStreams = 1024;
/** Root and the socket's group, which is the agent's. */
const socketMode = 0o660;

export interface RpcServer {
  /** A further service, such as AdminService. Only before {@link listen}. */
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void;
  /**
   * Serves on a unix socket of mode 0660, all services at once; health says SERVING from then on.
   * @param address absolute path, or `unix://` and one
   * @throws AgentError InvalidArgument, FailedPrecondition when another process answers there
   */
  listen(address: string): Promise<void>;
  /** Refuses new connections and calls, lets running ones end for so long, then cancels them. May be called again. */
  close(graceMs: number): Promise<void>;
}

/** The gRPC server with CRI's two services, health and reflection. */
export function createServer(deps: RpcDeps): RpcServer {
  const { runtime } = loadPackage("runtime/v1/api.proto") as unknown as ProtoGrpcType;
  const server = new Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.max_concurrent_streams": maxConcurrentStreams,
  });
  const services: ServiceDefinition[] = [];
  const health = new HealthImplementation({ "": "NOT_SERVING" });
  const withdrawals: Array<() => Promise<void>> = [];
  const listeners: GrpcListener[] = [];

  const addService = (definition: ServiceDefinition, implementation: UntypedServiceImplementation) => {
    server.addService(definition, implementation);
    services.push(definition);
  };
  const setHealth = (status: "SERVING" | "NOT_SERVING") => {
    for (const name of ["", ...services.map(serviceName)]) health.setStatus(name, status);
  };

  addService(
    runtime.v1.RuntimeService.service,
    serve<RuntimeServiceHandlers>(
      runtime.v1.RuntimeService.service,
      {
        ...infoRpcs(deps),
        ...sandboxRpcs(deps),
        ...containerRpcs(deps),
        ...execRpcs(deps),
        ...eventRpcs(deps),
        ...statsRpcs(deps),
        ...metricsRpcs(deps),
      },
      deps.log,
      deps.observe,
    ),
  );
  addService(
    runtime.v1.ImageService.service,
    serve<ImageServiceHandlers>(runtime.v1.ImageService.service, imageRpcs(deps), deps.log, deps.observe),
  );

  return {
    addService,
    listen: async (address) => {
      const plan = planSocket(address);
      health.addToServer(server);
      reflectionOf(services).addToServer(server);
      await claimSocket(plan);
      listeners.push(await GrpcListener.bind(server, plan.bindPath));
      setHealth("SERVING");
      withdrawals.push(await publishSocket(plan, socketMode));
    },
    close: async (graceMs) => {
      setHealth("NOT_SERVING");
      await Promise.all(withdrawals.splice(0).map((withdraw) => withdraw()));
      await shutDown(server, listeners.splice(0), graceMs);
    },
  };
}

/** grpc-js knows when sessions are to end, the listeners when their connections have ended. */
async function shutDown(server: Server, listeners: readonly GrpcListener[], graceMs: number): Promise<void> {
  const drained = Promise.all(listeners.map((listener) => listener.close()));
  server.tryShutdown(() => undefined);
  const timer = setTimeout(() => server.forceShutdown(), graceMs);
  await drained;
  clearTimeout(timer);
}

/** Reflection looks at the messages' file descriptors, which hold the services too. */
function reflectionOf(services: readonly ServiceDefinition[]): ReflectionService {
  // grpc-js's own type leaves out what proto-loader puts into every method.
  const methods = services.flatMap((service) => Object.values(service) as unknown as readonly LoadedMethod[]);
  return new ReflectionService(Object.fromEntries(methods.map(({ path, requestType }) => [path, requestType])));
}

type LoadedMethod = MethodDefinition<object, object>;

/** "/runtime.v1.ImageService/ListImages" belongs to "runtime.v1.ImageService". */
function serviceName(service: ServiceDefinition): string {
  return Object.values(service)[0]?.path.split("/")[1] ?? "";
}
