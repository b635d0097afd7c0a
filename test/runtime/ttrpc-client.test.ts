import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { codecOf } from "../../src/runtime/shim-protocol.ts";
import { TtrpcClient } from "../../src/runtime/ttrpc-client.ts";
import { encodeFrame, type Frame, FrameDecoder, frameType } from "../../src/runtime/ttrpc-frame.ts";
import type { RequestMessage, ResponseMessage } from "../../src/runtime/ttrpc-status.ts";

type Answer = (message: Partial<ResponseMessage>) => void;

/** A server whose every answer the test decides, on a real socket. */
async function serve(path: string, onCall: (request: RequestMessage, answer: Answer, socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const decoder = new FrameDecoder();
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      for (const frame of decoder.push(chunk)) {
        const request = codecOf<RequestMessage>("ttrpc.Request").decode(frame.data);
        onCall(request, (message) => socket.write(encodeFrame(response(frame, message))), socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function response(to: Frame, message: Partial<ResponseMessage>): Frame {
  const data = codecOf<ResponseMessage>("ttrpc.Response").encode({
    status: null,
    payload: Buffer.alloc(0),
    ...message,
  });
  return { streamId: to.streamId, type: frameType.response, flags: 0, data };
}

const call = (client: TtrpcClient, method: string, options = {}) =>
  client.call("svc", method, Buffer.from("in"), options);

describe("TtrpcClient", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-ttrpc-"));
    path = join(directory, "s");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("sends service, method, payload, time limit and namespace, and gets the payload", async () => {
    let seen: RequestMessage | undefined;
    using _ = await serve(path, (request, answer) => {
      seen = request;
      answer({ payload: Buffer.from("out") });
    });
    using client = await TtrpcClient.connect(path, "ns1", 1_000);
    expect(Buffer.from(await call(client, "M", { timeoutMs: 1_500 })).toString()).toBe("out");
    expect(seen).toEqual({
      service: "svc",
      method: "M",
      payload: Buffer.from("in"),
      timeout_nano: "1500000000",
      metadata: [{ key: "containerd-namespace-ttrpc", value: "ns1" }],
    });
  });

  test("gives each of many calls its own answer, in whatever order they come", async () => {
    const waiting: Array<() => void> = [];
    using _ = await serve(path, (request, answer) => {
      waiting.push(() => answer({ payload: Buffer.from(`to ${request.method}`) }));
      if (waiting.length === 50) for (const send of waiting.reverse()) send();
    });
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    const names = Array.from({ length: 50 }, (_, index) => `m${index}`);
    const answers = await Promise.all(names.map((name) => call(client, name)));
    expect(answers.map((answer) => Buffer.from(answer).toString())).toEqual(names.map((name) => `to ${name}`));
  });

  test.each([
    [5, "NotFound"],
    [6, "AlreadyExists"],
    [9, "FailedPrecondition"],
    [12, "Unimplemented"],
    [2, "Internal"],
    [77, "Internal"],
  ])("maps status %d to %s and keeps the text", async (code, name) => {
    using _ = await serve(path, (_request, answer) => answer({ status: { code, message: "runc said no" } }));
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    await expect(call(client, "M")).rejects.toMatchObject({ code: name, message: "M failed: runc said no" });
  });

  test("ends a call at its time limit, ignores the late answer, and serves the next", async () => {
    const late: Array<() => void> = [];
    using _ = await serve(path, (request, answer) => {
      if (request.method === "Slow") late.push(() => answer({ payload: Buffer.from("late") }));
      else {
        for (const send of late) send();
        answer({ payload: Buffer.from("next") });
      }
    });
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    await expect(call(client, "Slow", { timeoutMs: 20 })).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect(Buffer.from(await call(client, "Next")).toString()).toBe("next");
  });

  test("ends a call when its signal aborts, before or after it was sent", async () => {
    using _ = await serve(path, () => undefined);
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    await expect(call(client, "M", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "Cancelled" });
    const signal = AbortSignal.timeout(20);
    await expect(call(client, "M", { signal })).rejects.toMatchObject({ code: "DeadlineExceeded" });
  });

  test("fails every running and later call when the server goes away", async () => {
    using _ = await serve(path, (request, _answer, socket) => {
      if (request.method === "Last") socket.destroy();
    });
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    const calls = Promise.allSettled([call(client, "A"), call(client, "B"), call(client, "Last")]);
    await client.closed;
    for (const result of await calls) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "Unavailable" } });
    }
    await expect(call(client, "After")).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("gives up on a server that sends an impossible frame", async () => {
    using _ = await serve(path, (_request, _answer, socket) => socket.write(Buffer.alloc(64, 0xff)));
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    await expect(call(client, "M")).rejects.toMatchObject({ code: "Unavailable" });
    await client.closed;
  });

  test("does not send a message beyond ttrpc's limit, and goes on", async () => {
    using _ = await serve(path, (_request, answer) => answer({}));
    using client = await TtrpcClient.connect(path, "ns", 1_000);
    const payload = Buffer.alloc(5 << 20);
    await expect(client.call("svc", "M", payload)).rejects.toMatchObject({ code: "ResourceExhausted" });
    await call(client, "M");
  });

  test("connect() refuses a path nobody serves", async () => {
    await expect(TtrpcClient.connect(path, "ns", 1_000)).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("dispose() ends running calls", async () => {
    using _ = await serve(path, () => undefined);
    const client = await TtrpcClient.connect(path, "ns", 1_000);
    const running = call(client, "M");
    client[Symbol.dispose]();
    await expect(running).rejects.toMatchObject({ code: "Unavailable" });
    await Promise.race([client.closed, sleep(5_000).then(() => Promise.reject(new Error("not closed")))]);
  });
});
