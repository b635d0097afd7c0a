import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { AgentClient } from "../../src/cli/agent-client.ts";
import { AgentError } from "../../src/common/errors.ts";
import type { Log } from "../../src/common/log.ts";
import type { InfoResponse__Output } from "../../src/generated/podling/v1/InfoResponse.ts";
import type { PullProgress__Output } from "../../src/generated/podling/v1/PullProgress.ts";
import { adminService, type PullStep } from "../../src/rpc/admin-rpcs.ts";
import { eventually } from "../support/eventually.ts";

const about = { instance: "adm", version: "1.2.3", profile: "eci", root: "/r", state: "/s" };
let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

const unusedParts = () => {
  throw new Error("the test asks for no collection");
};
/** What collections, pins and leases would need: test/cri/image-gc.test.ts tries them on a whole agent. */
const unusedImages = {
  setPinned: unusedParts,
  lease: unusedParts,
  gc: { explain: unusedParts, collect: unusedParts },
};

/** As above: test/cri/image-caches.test.ts. */
const unusedCaches = {
  create: unusedParts,
  get: unusedParts,
  list: unusedParts,
  delete: unusedParts,
  onChange: unusedParts,
};

/** An agent with this service alone, and the source of its steps. */
async function startAgent() {
  const directory = mkdtempSync(join(tmpdir(), "podling-admin-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const listeners = new Set<(step: PullStep) => void>();
  const outcomes: object[] = [];
  const note = (fields: object) => void outcomes.push(fields);
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
  const service = adminService({
    about,
    images: {
      ...unusedImages,
      onPullProgress: (listener) => {
        listeners.add(listener);
        return { [Symbol.dispose]: () => void listeners.delete(listener) };
      },
    },
    imageCaches: unusedCaches,
    fullReference: (reference) => {
      if (reference === "") throw new AgentError("InvalidArgument", "empty");
      return `full/${reference}:latest`;
    },
    network: { checks: [], describe: unusedParts, check: unusedParts },
    log,
  });
  const server = new Server();
  server.addService(service.definition, service.implementation);
  const socket = join(directory, "s");
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  stack.defer(() => server.forceShutdown());
  const client = stack.use(new AgentClient(socket));
  const report = (step: Partial<PullStep>) => {
    const whole = { reference: "full/a:latest", layer: "", phase: "resolving", doneBytes: 0, totalBytes: 0, ...step };
    for (const listener of listeners) listener(whole);
  };
  return { client, service, server, report, listeners, outcomes };
}

/** Starts a watch and waits for its first, empty message. */
async function watch(client: AgentClient, reference: string) {
  const steps: PullProgress__Output[] = [];
  const call = client.admin.WatchPulls({ reference });
  let ended = false;
  let begun = false;
  call.on("data", (step: PullProgress__Output) => {
    if (begun) steps.push(step);
    begun = true;
  });
  call.on("error", () => undefined);
  call.on("end", () => {
    ended = true;
  });
  await eventually("the watch's first message", () => begun);
  return { call, steps, hasEnded: () => ended };
}

describe("AdminService", () => {
  test("Info() says who answers", async () => {
    const { client } = await startAgent();
    const info = await client.ask<InfoResponse__Output>((done) => client.admin.Info({}, done));
    expect(info).toEqual({ ...about, pid: String(process.pid) });
  });

  test("WatchPulls() streams the steps of the pulls that were asked for, sizes exact", async () => {
    const { client, report } = await startAgent();
    const all = await watch(client, "");
    const one = await watch(client, "a");
    const layer = "sha256:11";
    report({ layer, phase: "downloading", doneBytes: 2 ** 53 - 1, totalBytes: 2 ** 53 - 1 });
    report({ reference: "full/b:latest" });
    report({ phase: "failed", error: "no such manifest" });
    await eventually("three steps", () => all.steps.length === 3 && one.steps.length === 2);
    expect(one.steps).toEqual([
      {
        reference: "full/a:latest",
        layer,
        phase: "downloading",
        done_bytes: "9007199254740991",
        total_bytes: "9007199254740991",
        error: "",
      },
      {
        reference: "full/a:latest",
        layer: "",
        phase: "failed",
        done_bytes: "0",
        total_bytes: "0",
        error: "no such manifest",
      },
    ]);
  });

  test("WatchPulls() first repeats the latest state of running pulls, and of no others", async () => {
    const { client, report } = await startAgent();
    report({ layer: "x", phase: "downloading", doneBytes: 1 });
    report({ layer: "x", phase: "downloading", doneBytes: 2 });
    report({ layer: "y", phase: "exists" });
    report({ reference: "over", layer: "z", phase: "done" });
    report({ reference: "over", phase: "done" });
    const { steps } = await watch(client, "");
    await eventually("both layers", () => steps.length === 2);
    expect(steps.map(({ layer, done_bytes }) => [layer, done_bytes])).toEqual([
      ["x", "2"],
      ["y", "0"],
    ]);
  });

  test("a watcher that does not read loses steps in between, never a layer's last one", async () => {
    const { client, report } = await startAgent();
    const { call, steps } = await watch(client, "");
    call.pause();
    for (let done = 1; done <= 50_000; done++) report({ layer: `l${done % 3}`, phase: "downloading", doneBytes: done });
    await new Promise((resolve) => setImmediate(resolve));
    report({ phase: "done" });
    call.resume();
    await eventually("the end of the pull", () => steps.at(-1)?.phase === "done");
    const last = Object.fromEntries(steps.map(({ layer, done_bytes }) => [layer, done_bytes]));
    expect(last).toEqual({ l0: "49998", l1: "49999", l2: "50000", "": "0" });
    expect(steps.length).toBeLessThan(5000);
  });

  test("a watcher's end is no failure, and ends its part of the service", async () => {
    const { client, outcomes } = await startAgent();
    const { call } = await watch(client, "");
    call.cancel();
    await eventually("the outcome", () => outcomes.length > 0);
    expect(outcomes).toEqual([{ rpc: "WatchPulls", durationMs: expect.any(Number) }]);
  });

  test("disposing the service ends the watches, so that the server can shut down", async () => {
    const { client, service, server, listeners } = await startAgent();
    const { hasEnded } = await watch(client, "");
    service[Symbol.dispose]();
    await eventually("the watch's end", hasEnded);
    expect(listeners.size).toBe(0);
    await new Promise<void>((resolve, reject) => server.tryShutdown((error) => (error ? reject(error) : resolve())));
  });
});
