import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AgentSettings, writeAgentConfig } from "./agent-config.ts";
import { CriClient } from "./cri-client.ts";
import { eventually } from "./eventually.ts";
import { sweepInstance } from "./sweep-instance.ts";
import { reserveInstance, type TestInstance } from "./test-instance.ts";

const program = join(import.meta.dirname, "../../bin/podling");

/**
 * A real agent, `bin/podling serve`, with an instance of its own beside whatever else runs on the machine.
 * Disposing it stops it and takes everything it still has off the host; a leak check belongs before that.
 */
export class Agent implements AsyncDisposable {
  readonly instance: TestInstance;
  readonly socket: string;
  readonly configPath: string;
  readonly #logPath: string;
  readonly #settings: AgentSettings;
  #process: ChildProcess | undefined;

  private constructor(instance: TestInstance, settings: AgentSettings) {
    this.instance = instance;
    this.socket = join(instance.state, "podling.sock");
    this.configPath = writeAgentConfig(instance, settings);
    this.#settings = settings;
    this.#logPath = join(instance.scratch, "agent.log");
  }

  /** Starts an agent and waits until it serves. @param instance names reserved before, with files in its scratch */
  static async start(settings: AgentSettings = {}, instance?: TestInstance): Promise<Agent> {
    const agent = new Agent(instance ?? (await reserveInstance()), settings);
    try {
      await agent.start();
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
    return agent;
  }

  /** Changes its configuration, for the next start. */
  configure(changes: AgentSettings): void {
    writeAgentConfig(this.instance, { ...this.#settings, ...changes });
  }

  /** The running agent's process id. */
  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("The agent is not running");
    return pid;
  }

  /** Whether the process is there. */
  get running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /**
   * Starts it, again after {@link stop} or {@link kill}.
   * @param failpoint where it is to kill itself, as PODLING_FAILPOINT takes it
   */
  async start(failpoint = ""): Promise<void> {
    this.spawn(failpoint);
    await this.serving();
  }

  /** Starts the process without waiting for it to serve. */
  spawn(failpoint = ""): void {
    appendFileSync(this.#logPath, `--- start, failpoint "${failpoint}"\n`);
    const log = openSync(this.#logPath, "a");
    this.#process = spawn(program, ["serve", "--config", this.configPath], {
      env: { ...process.env, PODLING_FAILPOINT: failpoint },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
  }

  /** Waits until the socket answers. */
  async serving(): Promise<void> {
    await eventually(
      `the agent to serve ${this.socket}`,
      async () => {
        if (!this.running) throw new AgentEnded(`The agent ended instead of serving:\n${this.logTail()}`);
        using client = new CriClient(this.socket);
        return (await client.health(2_000)) === "SERVING";
      },
      60_000,
      (error) => error instanceof AgentEnded,
    );
  }

  /** Asks it to end, as a service manager does. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends it at whatever line it is. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Waits until it has ended by itself, as at a failpoint. */
  async ended(timeoutMs = 60_000): Promise<void> {
    await eventually("the agent to end", () => !this.running, timeoutMs);
  }

  /** All it wrote, from its first start. */
  log(): string {
    return readFileSync(this.#logPath, "utf8");
  }

  /** The last lines, for a failure's message. */
  logTail(lines = 40): string {
    return this.log().split("\n").slice(-lines).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (process.env["PODLING_TEST_LOG"]) appendFileSync(process.env["PODLING_TEST_LOG"], this.log());
    try {
      await this.#end("SIGTERM");
    } finally {
      await sweepInstance(this.instance);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(late);
    if (signal === "SIGTERM" && child.exitCode !== 0) {
      throw new Error(
        `The agent did not end well on SIGTERM (${child.exitCode ?? child.signalCode})\n${this.logTail()}`,
      );
    }
  }
}

class AgentEnded extends Error {}
