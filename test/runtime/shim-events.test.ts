import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ShimEvent, ShimEvents } from "../../src/runtime/shim-events.ts";
import { codecOf } from "../../src/runtime/shim-protocol.ts";
import { TtrpcClient } from "../../src/runtime/ttrpc-client.ts";

const service = "containerd.services.events.ttrpc.v1.Events";

function forward(topic: string, type: string, event: object, namespace = "ns"): Buffer {
  const envelope = { namespace, topic, event: { type_url: type, value: codecOf(type).encode(event) } };
  return codecOf("containerd.services.events.ttrpc.v1.ForwardRequest").encode({ envelope });
}

const oom = (containerId: string, namespace?: string) =>
  forward("/tasks/oom", "containerd.events.TaskOOM", { container_id: containerId }, namespace);

describe("ShimEvents", () => {
  let directory: string;
  let path: string;
  let events: ShimEvents;
  let errors: unknown[];
  let client: TtrpcClient;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "podling-events-"));
    path = join(directory, "events.sock");
    // A socket left by an agent that was killed.
    writeFileSync(path, "");
    errors = [];
    events = new ShimEvents("ns", (error) => errors.push(error));
    await events.listen(path);
    client = await TtrpcClient.connect(path, "ns", 1_000);
  });
  afterEach(async () => {
    client[Symbol.dispose]();
    await events[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test("hands out-of-memory kills and exits to every subscriber, and ignores the rest", async () => {
    const first: ShimEvent[] = [];
    const second: ShimEvent[] = [];
    events.subscribe((event) => first.push(event));
    const subscription = events.subscribe((event) => second.push(event));
    await client.call(service, "Forward", oom("c1"));
    subscription[Symbol.dispose]();
    const exit = { container_id: "c1", pid: 7, exit_status: 137, exited_at: { seconds: "1700000000", nanos: 5e8 } };
    await client.call(service, "Forward", forward("/tasks/exit", "containerd.events.TaskExit", { ...exit, id: "c1" }));
    await client.call(service, "Forward", forward("/tasks/exit", "containerd.events.TaskExit", { ...exit, id: "e1" }));
    await client.call(
      service,
      "Forward",
      forward("/tasks/start", "containerd.events.TaskStart", { container_id: "c1" }),
    );
    await client.call(service, "Forward", oom("c2", "another-namespace"));
    const seen = { kind: "exit", containerId: "c1", pid: 7, exitCode: 137, exitedAtMs: 1_700_000_000_500 };
    expect(first).toEqual([
      { kind: "oom", containerId: "c1" },
      { ...seen, execId: "" },
      { ...seen, execId: "e1" },
    ]);
    expect(second).toEqual([{ kind: "oom", containerId: "c1" }]);
    expect(errors).toEqual([]);
  });

  test("answers though a subscriber throws or the event can't be decoded", async () => {
    events.subscribe(() => {
      throw new Error("broken subscriber");
    });
    await client.call(service, "Forward", oom("c1"));
    await client.call(service, "Forward", Buffer.from("ffffff", "hex"));
    expect(errors).toHaveLength(2);
  });

  test("answers Unimplemented for other methods", async () => {
    await expect(client.call(service, "Subscribe", Buffer.alloc(0))).rejects.toMatchObject({ code: "Unimplemented" });
  });

  test("hangs up on bytes that are no ttrpc, and serves the others", async () => {
    const socket = connect(path);
    socket.write(Buffer.alloc(64, 0xff));
    await new Promise((resolve) => socket.on("close", resolve));
    await client.call(service, "Forward", oom("c1"));
    expect(errors).toHaveLength(1);
  });

  test("listens with a socket only its owner may use", () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});
