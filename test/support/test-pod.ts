import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "../../src/common/ids.ts";
import { createLog } from "../../src/common/log.ts";
import { ContainerIo } from "../../src/runtime/container-io.ts";
import { parseLogRecord } from "../../src/runtime/cri-log.ts";
import type { RuntimeHandler } from "../../src/runtime/runtime-handler.ts";
import type { ProcessExit, Shim } from "../../src/runtime/shim.ts";
import { type ShimEvent, ShimEvents } from "../../src/runtime/shim-events.ts";
import { type ShimAddress, ShimLauncher } from "../../src/runtime/shim-launcher.ts";
import { makeBundle, makeSandboxBundle, removeCgroups } from "./oci-bundle.ts";

/** A container of a {@link TestPod}, with what a test needs to look at it. */
export interface TestContainer {
  readonly id: string;
  readonly bundle: string;
  readonly io: ContainerIo;
  readonly pid: number;
  readonly logPath: string;
}

/** One real shim with directories of its own, as the agent would keep it. */
export class TestPod implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "podling-pod-"));
  /** Nobody else's shims are in it. */
  readonly namespace = `podling-test-${process.pid}-${newId().slice(0, 8)}`;
  readonly id = newId();
  readonly bundle = join(this.directory, "sandboxes", this.id);
  readonly handler: RuntimeHandler;
  readonly launcher: ShimLauncher;
  readonly events: ShimEvents;
  readonly seen: ShimEvent[] = [];
  readonly log = createLog("silent");
  readonly eventErrors: unknown[] = [];
  readonly #streams: ContainerIo[] = [];

  private constructor(handler: RuntimeHandler) {
    this.handler = handler;
    const eventsAddress = join(this.directory, "events.sock");
    this.events = new ShimEvents(this.namespace, (error) => this.eventErrors.push(error));
    this.events.subscribe((event) => this.seen.push(event));
    this.launcher = this.newLauncher(eventsAddress);
    makeSandboxBundle(this.bundle, this.id);
  }

  static async make(handler: RuntimeHandler): Promise<TestPod> {
    const pod = new TestPod(handler);
    await pod.events.listen(join(pod.directory, "events.sock"));
    return pod;
  }

  /** What a restarted agent has: nothing but the directories. */
  newLauncher(eventsAddress = join(this.directory, "events.sock")): ShimLauncher {
    const { namespace, log } = this;
    return new ShimLauncher({ namespace, eventsAddress, runtimeRoot: join(this.directory, "runc"), log });
  }

  async launch(): Promise<{ readonly address: ShimAddress; readonly shim: Shim }> {
    const address = await this.launcher.launch({ id: this.id, bundle: this.bundle, handler: this.handler });
    return { address, shim: await this.launcher.connect(address) };
  }

  get cgroup(): string {
    return `/${this.namespace}`;
  }

  /** Makes a container that is ready for start. */
  async create(shim: Shim, args: readonly string[], more: { terminal?: boolean; stdin?: boolean } = {}) {
    const { terminal = false, stdin = false } = more;
    const id = newId();
    const bundle = join(this.directory, "containers", id);
    makeBundle(bundle, { args, group: this.id, cgroupsPath: `${this.cgroup}/${id}`, terminal });
    const logPath = join(this.directory, "logs", `${id}.log`);
    const io = await ContainerIo.create({ directory: join(bundle, "stdio"), terminal, stdin, logPath, log: this.log });
    this.#streams.push(io);
    const pid = await shim.create({ id, bundle, ...io.paths, options: this.launcher.options(this.handler) });
    io.start();
    return { id, bundle, io, pid, logPath } satisfies TestContainer;
  }

  async run(shim: Shim, args: readonly string[], more: { terminal?: boolean; stdin?: boolean } = {}) {
    const container = await this.create(shim, args, more);
    await shim.start(container.id);
    return container;
  }

  /** Waits for its end, its output, and its removal from the shim. */
  async finish(shim: Shim, container: TestContainer): Promise<ProcessExit> {
    const exit = await shim.wait(container.id);
    await container.io.drained;
    await shim.delete(container.id);
    await container.io.remove();
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const containers = join(this.directory, "containers");
    await this.launcher.kill(this.id, this.bundle);
    for (const id of existsSync(containers) ? readdirSync(containers) : []) {
      await this.launcher.cleanUpDead({ id, bundle: join(containers, id), handler: this.handler });
    }
    for (const io of this.#streams) await io.remove();
    await this.events[Symbol.asyncDispose]();
    removeCgroups(this.cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The contents of one stream's records, joined as a reader would. */
export function readLog(path: string, stream: "stdout" | "stderr"): string {
  let text = "";
  let at = 0;
  const bytes = readFileSync(path);
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
    const record = parseLogRecord(bytes.subarray(at, end));
    if (record === undefined) throw new Error(`bad log line ${JSON.stringify(bytes.subarray(at, end).toString())}`);
    if (record.stream === stream) text += record.content.toString("latin1") + (record.partial ? "" : "\n");
    at = end + 1;
  }
  return text;
}
