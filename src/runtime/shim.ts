import { AgentError, hasCode } from "../common/errors.ts";
import { renderOciSpec } from "./oci-spec.ts";
import type { ShimEndpoint } from "./shim-bootstrap.ts";
import { type AnyMessage, codecOf, timestampMs } from "./shim-protocol.ts";
import { type TaskCalls, type TaskMethod, taskMessages } from "./shim-task.ts";
import { type CallOptions, TtrpcClient } from "./ttrpc-client.ts";

/** How a process ended. Death by signal n is 128 + n. */
export interface ProcessExit {
  readonly exitCode: number;
  /** Milliseconds since the epoch, with a fraction. */
  readonly exitedAtMs: number;
}

export interface ProcessState {
  readonly kind: "unknown" | "created" | "running" | "stopped" | "paused" | "pausing";
  /** On the host. */
  readonly pid: number;
  readonly exit: ProcessExit;
}

/** Paths of the FIFOs that the shim connects a process to; "" is /dev/null. */
export interface StdioPaths {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

export interface CreateTask extends StdioPaths {
  readonly id: string;
  /** Directory with config.json and a mounted rootfs. */
  readonly bundle: string;
  /** Runtime options, see encodeRuncOptions. */
  readonly options: AnyMessage | undefined;
}

export interface ExecTask extends StdioPaths {
  readonly execId: string;
  /** The OCI runtime spec's `process` object. */
  readonly process: object;
}

const states = ["unknown", "created", "running", "stopped", "paused", "pausing"] as const;

/** How long each method may take. Wait has no limit; Delete waits 10 s for stdio by itself. */
const timeoutMs: Readonly<Partial<Record<TaskMethod, number>>> = {
  Create: 60_000,
  Start: 60_000,
  Exec: 60_000,
  Delete: 60_000,
  Kill: 20_000,
  Update: 20_000,
};
const usualTimeoutMs = 10_000;
const pingTimeoutMs = 5_000;

/**
 * One running shim: the containers of a pod. Every call but wait() has a deadline; errors carry the shim's status code
 * (NotFound, AlreadyExists, FailedPrecondition, …; Internal for what the runtime printed) and Unavailable when the
 * shim has died. Disposing ends the connection and leaves the shim and its containers alone.
 */
export class Shim implements Disposable {
  readonly #client: TtrpcClient;
  readonly #package: string;

  /** Resolves, never rejects, when the connection ends: the shim died, was shut down, or this was disposed. */
  readonly closed: Promise<void>;

  private constructor(client: TtrpcClient, version: 2 | 3) {
    this.#client = client;
    this.#package = `containerd.task.v${version}`;
    this.closed = client.closed;
  }

  /** @throws AgentError Unavailable when nothing answers in time */
  static async open(endpoint: ShimEndpoint, namespace: string, connectTimeoutMs = 5_000): Promise<Shim> {
    return new Shim(await TtrpcClient.connect(endpoint.socketPath, namespace, connectTimeoutMs), endpoint.version);
  }

  /** Sets a container up and stops short of its program. @returns the init process's pid on the host */
  async create(task: CreateTask, signal?: AbortSignal): Promise<number> {
    const { id, bundle, terminal, stdin, stdout, stderr, options } = task;
    const request = { id, bundle, terminal, stdin, stdout, stderr, options: options ?? null };
    return (await this.#call("Create", request, { signal })).pid;
  }

  /** @returns the process's pid on the host */
  async start(id: string, execId = "", signal?: AbortSignal): Promise<number> {
    return (await this.#call("Start", { id, exec_id: execId }, { signal })).pid;
  }

  /** Waits, without a limit of time, for the exit of a process; one that has exited answers at once. */
  async wait(id: string, execId = "", signal?: AbortSignal): Promise<ProcessExit> {
    const answer = await this.#call("Wait", { id, exec_id: execId }, { signal, timeoutMs: undefined });
    return exitOf(answer);
  }

  /** @throws AgentError NotFound when the process has already exited */
  async kill(
    id: string,
    options: { readonly execId?: string; readonly signal: number; readonly all?: boolean },
  ): Promise<void> {
    const { execId = "", signal, all = false } = options;
    await this.#call("Kill", { id, exec_id: execId, signal, all });
  }

  /**
   * Frees a process that has stopped. Unknown to the shim counts as done.
   * @returns undefined when the shim does not know it (any more)
   */
  async delete(id: string, execId = ""): Promise<ProcessExit | undefined> {
    try {
      return exitOf(await this.#call("Delete", { id, exec_id: execId }));
    } catch (error) {
      if (hasCode(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /** Prepares one more process in a running container; start(id, execId) runs it. */
  async exec(id: string, task: ExecTask, signal?: AbortSignal): Promise<void> {
    const { execId, process, terminal, stdin, stdout, stderr } = task;
    const spec = jsonAny("Process", process);
    await this.#call("Exec", { id, exec_id: execId, terminal, stdin, stdout, stderr, spec }, { signal });
  }

  /** Lets the process see the end of its input once every writer of the FIFO has closed it too. */
  async closeIo(id: string, execId = ""): Promise<void> {
    await this.#call("CloseIO", { id, exec_id: execId, stdin: true });
  }

  /** @throws AgentError NotFound */
  async state(id: string, execId = ""): Promise<ProcessState> {
    const answer = await this.#call("State", { id, exec_id: execId });
    return { kind: states[answer.status] ?? "unknown", pid: answer.pid, exit: exitOf(answer) };
  }

  /** Every process of a container, as pids on the host. */
  async pids(id: string): Promise<readonly number[]> {
    return (await this.#call("Pids", { id })).processes.map((process) => process.pid);
  }

  /** The shim's own pid and that of a container's init (0: none). @throws AgentError NotFound for an unknown container */
  async connect(id: string): Promise<{ readonly shimPid: number; readonly taskPid: number }> {
    const answer = await this.#call("Connect", { id });
    return { shimPid: answer.shim_pid, taskPid: answer.task_pid };
  }

  /**
   * Whether anybody answers.
   * @throws AgentError Unavailable when nobody does within the time
   */
  async ping(id: string, timeoutMs = pingTimeoutMs): Promise<void> {
    try {
      await this.#call("Connect", { id }, { timeoutMs });
    } catch (error) {
      // Another refusal is an answer too.
      if (!hasCode(error, "DeadlineExceeded") && !hasCode(error, "Unavailable")) return;
      throw new AgentError("Unavailable", "The shim does not answer", { cause: error });
    }
  }

  /** Whether the other side speaks this version of the protocol. @throws AgentError Unavailable when it says nothing */
  async speaks(id: string): Promise<boolean> {
    try {
      await this.#call("Connect", { id }, { timeoutMs: pingTimeoutMs });
    } catch (error) {
      if (hasCode(error, "Unimplemented")) return false;
      if (hasCode(error, "DeadlineExceeded") || hasCode(error, "Unavailable")) throw error;
    }
    return true;
  }

  /** @param resources the OCI runtime spec's `linux.resources` object */
  async update(id: string, resources: object): Promise<void> {
    await this.#call("Update", { id, resources: jsonAny("LinuxResources", resources) });
  }

  /** @param width in columns @param height in rows */
  async resizePty(id: string, execId: string, width: number, height: number): Promise<void> {
    await this.#call("ResizePty", { id, exec_id: execId, width, height });
  }

  /** Writes CRIU's images of a container, which goes on, into a directory. */
  async checkpoint(id: string, path: string, timeoutMs: number): Promise<void> {
    await this.#call("Checkpoint", { id, path }, { timeoutMs });
  }

  async pause(id: string): Promise<void> {
    await this.#call("Pause", { id });
  }

  async resume(id: string): Promise<void> {
    await this.#call("Resume", { id });
  }

  /** Cgroup statistics: io.containerd.cgroups.v1.Metrics or …v2.Metrics, still encoded. */
  async stats(id: string): Promise<AnyMessage | undefined> {
    return (await this.#call("Stats", { id })).stats ?? undefined;
  }

  /** Ends the shim, unless it still has a container. `closed` tells when it has gone. */
  async shutdown(id: string): Promise<void> {
    try {
      await this.#call("Shutdown", { id, now: false });
    } catch (error) {
      // It may leave faster than its answer.
      if (!hasCode(error, "Unavailable")) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  async #call<Method extends TaskMethod>(
    method: Method,
    request: TaskCalls[Method]["request"],
    options: CallOptions = {},
  ): Promise<TaskCalls[Method]["response"]> {
    const [requestName, responseName] = taskMessages[method];
    const payload = codecOf<TaskCalls[Method]["request"]>(this.#fullName(requestName)).encode(request);
    const limits = "timeoutMs" in options ? options : { ...options, timeoutMs: timeoutMs[method] ?? usualTimeoutMs };
    const answer = await this.#client.call(`${this.#package}.Task`, method, payload, limits);
    return codecOf<TaskCalls[Method]["response"]>(this.#fullName(responseName)).decode(answer);
  }

  #fullName(name: string): string {
    return name.startsWith("google.") ? name : `${this.#package}.${name}`;
  }
}

function exitOf(message: TaskCalls["Wait"]["response"]): ProcessExit {
  return { exitCode: message.exit_status, exitedAtMs: timestampMs(message.exited_at) };
}

/** OCI objects travel as JSON under containerd's own type names. */
function jsonAny(type: string, value: object): AnyMessage {
  return {
    type_url: `types.containerd.io/opencontainers/runtime-spec/1/${type}`,
    value: Buffer.from(renderOciSpec(value)),
  };
}
