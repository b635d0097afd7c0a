import { once } from "node:events";
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { status as Code, Metadata } from "@grpc/grpc-js";
import { AgentError, errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { type CallContext, callContext } from "./call-context.ts";
import type { RpcObserver } from "./rpc-metrics.ts";
import { codeName, type RpcStatus, toStatus } from "./status.ts";

/** Names of a generated handlers interface, without the index signature that grpc-js gives it. */
type RpcName<Handlers> = keyof {
  [Name in keyof Handlers as string extends Name ? never : number extends Name ? never : Name]: unknown;
};

/** Plain functions for RPCs of a generated handlers interface; a streaming one gives its answers one by one. */
export type Rpcs<Handlers, Name extends keyof Handlers = Extract<RpcName<Handlers>, keyof Handlers>> = {
  readonly [N in Name]?: Handlers[N] extends handleUnaryCall<infer Request, infer Response>
    ? (request: Request, context: CallContext) => Promise<Response> | Response
    : Handlers[N] extends handleServerStreamingCall<infer Request, infer Response>
      ? (request: Request, context: CallContext) => Iterable<Response> | AsyncIterable<Response>
      : never;
};

type UnaryRpc = (request: unknown, context: CallContext) => unknown;
type StreamRpc = (request: unknown, context: CallContext) => Iterable<unknown> | AsyncIterable<unknown>;

/**
 * Handlers for every RPC of a service: errors become statuses, each outcome one log line. What `rpcs` leaves out
 * answers Unimplemented.
 */
export function serve<Handlers>(
  service: ServiceDefinition,
  rpcs: Rpcs<Handlers>,
  log: Log,
  observe: RpcObserver = () => undefined,
): UntypedServiceImplementation {
  const functions = rpcs as Readonly<Record<string, UnaryRpc & StreamRpc>>;
  const handlers: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(service)) {
    const rpc = functions[name] ?? unimplemented(name);
    const [, service = ""] = method.path.split("/");
    const end: EndOfCall = (startedAt, messages, failure) => {
      const durationMs = performance.now() - startedAt;
      const code = codeName(failure?.status.code ?? Code.OK);
      observe({ service, method: name, streams: method.responseStream, code: goCodeName(code), durationMs });
      logOutcome(log, name, durationMs, messages, failure);
    };
    handlers[name] = method.responseStream ? streamHandler(rpc, end) : unaryHandler(rpc, end);
  }
  return handlers;
}

function unimplemented(name: string): () => never {
  return () => {
    throw new AgentError("Unimplemented", `${name} is not implemented yet`);
  };
}

interface Failure {
  readonly status: RpcStatus;
  readonly error: unknown;
}

/** What is done when a call has ended. @param startedAt by `performance.now()` @param messages whose ids are logged */
type EndOfCall = (startedAt: number, messages: readonly unknown[], failure?: Failure) => void;

/** "NOT_FOUND" is NotFound in Go, whose spelling metrics have everywhere; OK stays. */
function goCodeName(name: string): string {
  const words = name.toLowerCase().split("_");
  return name === "OK" ? name : words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function unaryHandler(answer: UnaryRpc, end: EndOfCall): handleUnaryCall<unknown, unknown> {
  return async (call: ServerUnaryCall<unknown, unknown>, callback) => {
    const startedAt = performance.now();
    try {
      const response = await answer(call.request, callContext(call));
      // What was made is found again in the log by its id.
      end(startedAt, [call.request, response]);
      callback(null, response);
    } catch (error) {
      const status = toStatus(error);
      end(startedAt, [call.request], { status, error });
      callback(status);
    }
  };
}

function streamHandler(answers: StreamRpc, end: EndOfCall): handleServerStreamingCall<unknown, unknown> {
  return async (call: ServerWritableStream<unknown, unknown>) => {
    const startedAt = performance.now();
    const context = callContext(call);
    // Tells a client that waits for what may come much later that its call has arrived.
    call.sendMetadata(new Metadata());
    try {
      for await (const answer of answers(call.request, context)) {
        context.signal.throwIfAborted();
        if (!call.write(answer)) await once(call, "drain", { signal: context.signal });
      }
      end(startedAt, [call.request]);
      call.end();
    } catch (error) {
      const reason = context.signal.aborted ? context.signal.reason : error;
      const status = toStatus(reason);
      end(startedAt, [call.request], { status, error: reason });
      call.emit("error", status);
    }
  };
}

/** Reads, which callers repeat every second or so; their success is no news. */
const isRead = /Status$|^List|^Stream|^Watch|^Version$|Info$|Stats$|Events$|^RuntimeConfig$/;
/** Our own fault rather than the caller's. */
const faults: ReadonlySet<Code> = new Set([Code.INTERNAL, Code.DATA_LOSS, Code.UNKNOWN]);

function logOutcome(
  log: Log,
  rpc: string,
  durationMs: number,
  messages: readonly unknown[],
  failure: Failure | undefined,
): void {
  const fields = {
    rpc,
    ...Object.assign({}, ...messages.map(idsOf)),
    durationMs: Math.round(durationMs * 10) / 10,
  };
  if (failure === undefined) {
    log[isRead.test(rpc) ? "debug" : "info"](fields, "RPC done");
    return;
  }
  const { status, error } = failure;
  const outcome = { ...fields, code: codeName(status.code), error: errorText(error), ...faultDetails(status, error) };
  log[failureLevel(rpc, status.code)](outcome, "RPC failed");
}

/** A poll for something that went away or isn't built, and a watch that its client ended, are no news either. */
const expectedOfReads: ReadonlySet<Code> = new Set([Code.NOT_FOUND, Code.UNIMPLEMENTED, Code.CANCELLED]);

function failureLevel(rpc: string, code: Code): "debug" | "warn" | "error" {
  if (faults.has(code)) return "error";
  return isRead.test(rpc) && expectedOfReads.has(code) ? "debug" : "warn";
}

/** Where the fault is, and the failed clean-up that the caller was not told about. */
function faultDetails(status: RpcStatus, error: unknown): object {
  const cleanUp = error instanceof SuppressedError ? { cleanUpError: errorText(error.error) } : {};
  return faults.has(status.code) && error instanceof Error ? { ...cleanUp, stack: error.stack } : cleanUp;
}

/** Only ids and image names leave a message for the log: the rest may be secret. */
function idsOf(message: unknown): object {
  const { pod_sandbox_id, container_id, image } = message as {
    readonly pod_sandbox_id?: string;
    readonly container_id?: string;
    readonly image?: { readonly image?: string } | null;
  };
  return {
    ...(pod_sandbox_id ? { sandboxId: pod_sandbox_id } : {}),
    ...(container_id ? { containerId: container_id } : {}),
    ...(image?.image ? { imageRef: image.image } : {}),
  };
}
