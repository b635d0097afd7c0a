import { AgentError } from "../common/errors.ts";
import { type AnyMessage, codecOf } from "./shim-protocol.ts";

/** Where a started shim serves its task service, and which. */
export interface ShimEndpoint {
  /** containerd.task.v2 or v3. */
  readonly version: 2 | 3;
  /** Socket path; a leading NUL means an abstract socket. */
  readonly socketPath: string;
}

/** What `shim start` wants to read. */
export type BootstrapForm = "options" | "params";

/** What a shim is told about the world it is started in. */
export interface BootstrapInput {
  readonly instanceId: string;
  readonly namespace: string;
  /** Where it publishes events; also its idea of containerd's address, which goes into its socket's name. */
  readonly eventsAddress: string;
  readonly options: AnyMessage | undefined;
}

export const runcOptionsType = "containerd.runc.v1.Options";

/** Settings of containerd-shim-runc-v2 for one container. */
export interface RuncOptions {
  /** OCI runtime: path or name. */
  readonly binary_name: string;
  /** Directory of the runtime's state; the shim appends the namespace. */
  readonly root: string;
  /** Owner of the stdio pipes: the host id of the container's root in a user namespace. */
  readonly io_uid?: number;
  readonly io_gid?: number;
}

export function encodeRuncOptions(options: RuncOptions): AnyMessage {
  return { type_url: runcOptionsType, value: codecOf<RuncOptions>(runcOptionsType).encode(options) };
}

/**
 * Which form the shim reads, by what it prints for `-v`: containerd 2.3 replaced the options by BootstrapParams.
 * Shims of others (kata, runsc) and unreadable versions get the older form, which all know.
 * @param text such as "containerd-shim-runc-v2:\n  Version:  1.6.20~ds1\n  Revision: …"
 */
export function bootstrapForm(text: string): BootstrapForm {
  const match = /^(?:\S*\/)?containerd-shim-runc-v2:?\s[\s\S]*?Version:\s*v?(\d+)\.(\d+)/m.exec(text);
  if (match === null) return "options";
  const major = Number(match[1]);
  const minor = Number(match[2]);
  return major > 2 || (major === 2 && minor >= 3) ? "params" : "options";
}

/** The bytes for the standard input of `shim start`. */
export function encodeBootstrapInput(form: BootstrapForm, input: BootstrapInput): Buffer {
  if (form === "options") {
    return input.options === undefined
      ? Buffer.alloc(0)
      : codecOf<AnyMessage>("google.protobuf.Any").encode(input.options);
  }
  return codecOf("containerd.runtime.bootstrap.v1.BootstrapParams").encode({
    instance_id: input.instanceId,
    namespace: input.namespace,
    containerd_ttrpc_address: input.eventsAddress,
    containerd_grpc_address: input.eventsAddress,
    containerd_binary: "/bin/true",
    extensions: input.options === undefined ? [] : [{ value: input.options }],
  });
}

interface BootstrapResult {
  readonly version: number;
  readonly address: string;
  readonly protocol: string;
}

/**
 * Reads what `shim start` printed: a bare address (containerd 1.x), JSON (2.0 to 2.2) or a BootstrapResult (2.3).
 * @throws AgentError Unavailable when it is none of them, Unimplemented for a protocol other than ttrpc on a Unix socket
 */
export function parseBootstrapOutput(output: Buffer): ShimEndpoint {
  const result = readResult(output);
  if (result.protocol !== "ttrpc") {
    throw new AgentError("Unimplemented", `The shim serves ${quote(result.protocol)}: only "ttrpc" is supported`);
  }
  if (result.version !== 2 && result.version !== 3) {
    throw new AgentError("Unimplemented", `The shim speaks task version ${result.version}: only 2 and 3 are supported`);
  }
  return { version: result.version, socketPath: socketPath(result.address) };
}

function readResult(output: Buffer): BootstrapResult {
  const text = output.toString("latin1").trim();
  if (text.startsWith("{")) return readJson(text);
  if (/^(?:unix|vsock|hvsock):\/\//.test(text)) return { version: 2, address: text, protocol: "ttrpc" };
  // Field 1, a varint: what a BootstrapResult begins with, and no address does.
  if (output[0] === 0x08) {
    try {
      return codecOf<BootstrapResult>("containerd.runtime.bootstrap.v1.BootstrapResult").decode(output);
    } catch (cause) {
      throw new AgentError("Unavailable", "The shim printed a bootstrap result that can't be decoded", { cause });
    }
  }
  // Shims before containerd 1.4 used abstract sockets and printed the bare name.
  if (/^\/[\x21-\x7e]+$/.test(text)) return { version: 2, address: `\0${text}`, protocol: "ttrpc" };
  throw new AgentError("Unavailable", `The shim printed ${quote(text)}: must be the address it serves`);
}

function readJson(text: string): BootstrapResult {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) {
      const { version, address, protocol } = value as Record<string, unknown>;
      if (typeof version === "number" && typeof address === "string" && typeof protocol === "string") {
        return { version, address, protocol };
      }
    }
  } catch {
    // falls through to the one error
  }
  throw new AgentError("Unavailable", `The shim printed ${quote(text)}: must hold version, address and protocol`);
}

function socketPath(address: string): string {
  if (address.startsWith("\0")) return address;
  if (address.startsWith("unix://") && address.length > "unix://".length) return address.slice("unix://".length);
  throw new AgentError("Unimplemented", `The shim serves ${quote(address)}: only "unix://" sockets are supported`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 300));
}
