import { accessSync, constants } from "node:fs";
import { credentials, type requestCallback, type ServiceError, status } from "@grpc/grpc-js";
import { AgentError, errnoOf } from "../common/errors.ts";
import { loadPackage } from "../common/load-proto.ts";
import type { ProtoGrpcType as AdminPackage } from "../generated/admin.ts";
import type { ProtoGrpcType as CriPackage } from "../generated/api.ts";
import type { AdminServiceClient } from "../generated/podling/v1/AdminService.ts";
import type { ImageServiceClient } from "../generated/runtime/v1/ImageService.ts";
import type { RuntimeServiceClient } from "../generated/runtime/v1/RuntimeService.ts";

/** Where an agent with the default configuration listens. */
export const defaultAddress = "/run/podling/podling.sock";

/** As CRI servers answer: lists of thousands of pods do not fit into grpc-js's own 4 MiB. */
const longestMessage = 16 * 1024 * 1024;

/** Clients of an agent's services, over one connection. */
export class AgentClient implements Disposable {
  readonly address: string;
  readonly runtime: RuntimeServiceClient;
  readonly images: ImageServiceClient;
  readonly admin: AdminServiceClient;

  /** Connects with the first call. @param address a socket's path, or `unix:` and a path */
  constructor(address: string) {
    this.address = address;
    const target = address.startsWith("unix:") ? address : `unix:${address}`;
    const services = loadPackage("runtime/v1/api.proto", "podling/v1/admin.proto");
    const { runtime, podling } = services as unknown as CriPackage & AdminPackage;
    const options = {
      "grpc.max_receive_message_length": longestMessage,
      "grpc.max_send_message_length": longestMessage,
    };
    this.runtime = new runtime.v1.RuntimeService(target, credentials.createInsecure(), options);
    this.images = new runtime.v1.ImageService(target, credentials.createInsecure(), options);
    this.admin = new podling.v1.AdminService(target, credentials.createInsecure(), options);
  }

  /**
   * Makes one unary call: `client.ask<VersionResponse__Output>((done) => client.runtime.Version({}, done))`.
   * @throws AgentError with the agent's own words, or Unavailable saying how to get an agent
   */
  ask<Answer>(start: (done: requestCallback<Answer>) => unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      start((error, answer) => {
        if (error !== null) reject(this.explain(error));
        else if (answer === undefined) reject(new AgentError("Internal", "The agent sent no answer"));
        else resolve(answer);
      });
    });
  }

  /** What a failed call means to the one who typed the command. */
  explain(error: ServiceError): AgentError {
    const unreachable = error.code === status.UNAVAILABLE && /connect|No connection/.test(error.details);
    if (unreachable) {
      return new AgentError(
        "Unavailable",
        `Cannot reach an agent at ${JSON.stringify(this.address)}, ${connectReason(this.address)}: ` +
          "start one with podling serve, or name its socket with --address or PODLING_ADDRESS",
      );
    }
    return new AgentError("Internal", error.details === "" ? `${status[error.code]}` : error.details);
  }

  [Symbol.dispose](): void {
    this.runtime.close();
    this.images.close();
    this.admin.close();
  }
}

/** grpc-js tells the reason of a failed connection only now and then; the socket's file tells it always. */
function connectReason(address: string): string {
  try {
    accessSync(address.replace(/^unix:(?:\/\/)?/, ""), constants.W_OK);
    return "where nobody answers";
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? "which does not exist" : "which this user may not open";
  }
}

/** A deadline for calls that answer from memory, so that a hung agent does not hang the command. */
export function soon(): { readonly deadline: number } {
  return { deadline: Date.now() + 30_000 };
}
