import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Log } from "../common/log.ts";
import { writeFileDurably } from "../system/files.ts";
import { runProgram } from "./run-program.ts";
import type { RuntimeHandler } from "./runtime-handler.ts";
import { Shim } from "./shim.ts";
import {
  type BootstrapForm,
  bootstrapForm,
  encodeBootstrapInput,
  encodeRuncOptions,
  parseBootstrapOutput,
  type ShimEndpoint,
} from "./shim-bootstrap.ts";
import { ShimLog } from "./shim-log.ts";
import { killShims } from "./shim-process.ts";
import { type AnyMessage, codecOf, type TimestampMessage, timestampMs } from "./shim-protocol.ts";

/** A running shim as `<bundle>/shim.json` records it. */
export interface ShimAddress extends ShimEndpoint {
  /** What it was started for: the sandbox's id. */
  readonly id: string;
  /** Its working directory, where its log FIFO lies. */
  readonly bundle: string;
}

export interface ShimLauncherDeps {
  /** containerd namespace, one for each agent instance. */
  readonly namespace: string;
  /** Path of the socket that ShimEvents listens on. */
  readonly eventsAddress: string;
  /** The OCI runtimes' state; they append the namespace. */
  readonly runtimeRoot: string;
  readonly log: Log;
}

export interface LaunchRequest {
  /** Sandbox id; the bundle's config.json groups by the same one. */
  readonly id: string;
  /** Directory with a config.json. */
  readonly bundle: string;
  readonly handler: RuntimeHandler;
}

/** What a shim's clean-up reports of a container whose shim has died. */
export interface DeadContainer {
  /** 0 when it is not known. */
  readonly pid: number;
  /** 137 unless the shim knows better. */
  readonly exitCode: number;
  readonly exitedAtMs: number;
}

/** Where containerd's shims put their sockets, whatever the agent's own directories are. */
const socketDirectory = "/run/containerd/s";

/** The socket of the shim that was launched with these arguments, as the shim itself names it. */
export function shimSocketPath(eventsAddress: string, namespace: string, id: string): string {
  const name = join(eventsAddress, namespace, id);
  return join(socketDirectory, createHash("sha256").update(name).digest("hex"));
}

const startTimeoutMs = 30_000;
const deleteTimeoutMs = 60_000;

/** Starts shims, finds them again after a restart, and clears up after dead ones. */
export class ShimLauncher {
  readonly #deps: ShimLauncherDeps;
  readonly #forms = new Map<string, Promise<BootstrapForm>>();
  readonly #logs = new Map<string, ShimLog>();

  constructor(deps: ShimLauncherDeps) {
    this.#deps = deps;
  }

  /** Runtime options for Create, of a handler that takes runc's. */
  options(handler: RuntimeHandler): AnyMessage | undefined {
    if (handler.binary === "") return undefined;
    return encodeRuncOptions({ binary_name: handler.binary, root: this.#deps.runtimeRoot });
  }

  /**
   * Starts the shim of a sandbox and records in the bundle where it serves. A failed launch leaves no shim.
   * @throws AgentError FailedPrecondition when there is no such program, Unavailable with the shim's own words
   */
  async launch(request: LaunchRequest): Promise<ShimAddress> {
    const { id, bundle, handler } = request;
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.kill(id, bundle));
    // The shim may have been replaced by one that reads another form.
    undo.defer(() => void this.#forms.delete(handler.shim));
    const form = await this.#form(handler);
    // It must have a reader before the shim starts, or the shim waits for one for ever.
    this.#holdLog(bundle, id);
    failpoint("run.shim-starting");
    const { namespace, eventsAddress } = this.#deps;
    const input = { instanceId: id, namespace, eventsAddress, options: this.options(handler) };
    const result = await this.#run(handler, bundle, [...this.#arguments(id), "start"], {
      input: encodeBootstrapInput(form, input),
      timeoutMs: startTimeoutMs,
    });
    failpoint("run.shim-started");
    const address: ShimAddress = { ...parseBootstrapOutput(result), id, bundle };
    writeFileDurably(recordPath(bundle), JSON.stringify(address), 0o600);
    failpoint("run.shim-recorded");
    undo.move();
    return address;
  }

  /** @returns undefined when the bundle records no shim, for instance because its launch was cut short */
  load(bundle: string): ShimAddress | undefined {
    try {
      const { version, socketPath, id } = JSON.parse(readFileSync(recordPath(bundle), "utf8"));
      if ((version === 2 || version === 3) && typeof socketPath === "string" && typeof id === "string") {
        return { version, socketPath, id, bundle };
      }
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#deps.log.warn({ bundle, error: String(error) }, "unreadable shim record");
    }
    return undefined;
  }

  /**
   * Where a running shim serves whose record is lost: its socket's name follows from its arguments. The record is written
   * anew.
   * @throws AgentError Unavailable when nobody answers there
   */
  async locate(id: string, bundle: string): Promise<ShimAddress> {
    const { namespace, eventsAddress, log } = this.#deps;
    const socketPath = shimSocketPath(eventsAddress, namespace, id);
    for (const version of [3, 2] as const) {
      using shim = await Shim.open({ version, socketPath }, namespace);
      if (!(await shim.speaks(id))) continue;
      const address: ShimAddress = { version, socketPath, id, bundle };
      writeFileDurably(recordPath(bundle), JSON.stringify(address), 0o600);
      log.warn({ sandboxId: id, socketPath }, "found a running shim whose record was lost");
      return address;
    }
    throw new AgentError("Unavailable", `Nobody that speaks a shim's protocol serves "${socketPath}"`);
  }

  /**
   * Connects to a launched or recovered shim, and drains its log for as long as the connection lasts.
   * @throws AgentError Unavailable when it does not answer
   */
  async connect(address: ShimAddress): Promise<Shim> {
    const log = this.#holdLog(address.bundle, address.id);
    let shim: Shim | undefined;
    try {
      shim = await Shim.open(address, this.#deps.namespace);
      // A connection alone proves nothing: a container that was created but not started can hold the listening socket
      // of a shim that has died.
      await shim.ping(address.id);
    } catch (error) {
      shim?.[Symbol.dispose]();
      this.#releaseLog(log);
      throw error;
    }
    void shim.closed.then(() => this.#releaseLog(log));
    return shim;
  }

  /**
   * Makes sure that nothing runs as this sandbox's shim. Its containers then need cleanUpDead.
   * @param bundle the sandbox's
   */
  async kill(id: string, bundle: string): Promise<void> {
    await killShims(this.#deps.namespace, id);
    // A killed shim leaves its socket; the next one of the same name would only replace it.
    rmSync(shimSocketPath(this.#deps.eventsAddress, this.#deps.namespace, id), { force: true });
    rmSync(recordPath(bundle), { force: true });
    const log = this.#logs.get(bundle);
    if (log !== undefined) this.#releaseLog(log);
  }

  /**
   * Kills and removes one container whose shim has died, by the shim's own `delete`.
   * @param bundle the container's; its last path component must be the id
   * @returns undefined when the container had not been created
   * @throws AgentError Unavailable with the shim's own words
   */
  async cleanUpDead(request: LaunchRequest): Promise<DeadContainer | undefined> {
    const { id, bundle, handler } = request;
    // The shim notes the runtime before it calls it, so without the note there is nothing to remove.
    if (handler.binary !== "" && !existsSync(join(bundle, "runtime"))) return undefined;
    const output = await this.#run(handler, bundle, [...this.#arguments(id), "-bundle", bundle, "delete"], {
      input: Buffer.alloc(0),
      timeoutMs: deleteTimeoutMs,
    });
    const answer = codecOf<{ pid: number; exit_status: number; exited_at: TimestampMessage | null }>(
      "containerd.task.v2.DeleteResponse",
    ).decode(output);
    return { pid: answer.pid, exitCode: answer.exit_status, exitedAtMs: timestampMs(answer.exited_at) };
  }

  /** Whether the runtime keeps state of a container: runc and crun make a directory for each. */
  runtimeKnows(handler: RuntimeHandler, id: string): boolean {
    return handler.binary !== "" && existsSync(join(this.#deps.runtimeRoot, this.#deps.namespace, id));
  }

  /** Tells that a running shim's bundle has moved; the shim itself knows it as its working directory alone. */
  moved(from: string, to: string): void {
    const log = this.#logs.get(from);
    if (log === undefined) return;
    this.#logs.delete(from);
    this.#logs.set(to, log);
  }

  #arguments(id: string): string[] {
    const { namespace, eventsAddress } = this.#deps;
    // The publisher is a fallback for shims that can't reach the events socket; we have no use for late events.
    return ["-namespace", namespace, "-address", eventsAddress, "-publish-binary", "/bin/true", "-id", id];
  }

  async #run(
    handler: RuntimeHandler,
    cwd: string,
    args: readonly string[],
    options: { readonly input: Buffer; readonly timeoutMs: number },
  ): Promise<Buffer> {
    const { namespace, eventsAddress } = this.#deps;
    return await runProgram(`Shim ${JSON.stringify(handler.shim)} of handler ${JSON.stringify(handler.name)}`, {
      program: handler.shim,
      args,
      cwd,
      env: {
        GOMAXPROCS: "2",
        MAX_SHIM_VERSION: "2",
        TTRPC_ADDRESS: eventsAddress,
        GRPC_ADDRESS: eventsAddress,
        NAMESPACE: namespace,
      },
      ...options,
    });
  }

  #form(handler: RuntimeHandler): Promise<BootstrapForm> {
    let form = this.#forms.get(handler.shim);
    if (form === undefined) {
      form = this.#run(handler, "/", ["-v"], { input: Buffer.alloc(0), timeoutMs: startTimeoutMs }).then((output) =>
        bootstrapForm(output.toString("latin1")),
      );
      this.#forms.set(handler.shim, form);
      // A shim that is installed later is asked again.
      form.catch(() => this.#forms.delete(handler.shim));
    }
    return form;
  }

  #holdLog(bundle: string, id: string): ShimLog {
    let log = this.#logs.get(bundle);
    if (log === undefined) {
      log = new ShimLog(bundle, this.#deps.log.child({ sandboxId: id }));
      this.#logs.set(bundle, log);
    }
    return log;
  }

  #releaseLog(log: ShimLog): void {
    log[Symbol.dispose]();
    for (const [bundle, held] of this.#logs) if (held === log) this.#logs.delete(bundle);
  }
}

function recordPath(bundle: string): string {
  return join(bundle, "shim.json");
}
