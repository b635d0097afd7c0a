import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { get as secureGet } from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import WebSocket from "ws";
import { createLog } from "../../../src/common/log.ts";
import type { ProcessStreams } from "../../../src/common/process-streams.ts";
import type { StreamBackend } from "../../../src/rpc/streaming/serve-stream.ts";
import type { StreamRequest } from "../../../src/rpc/streaming/stream-request.ts";
import { StreamingServer, type StreamingServerOptions } from "../../../src/rpc/streaming/streaming-server.ts";
import { Certificates } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { askUpgrade, SpdyClient } from "../../support/spdy-client.ts";

type Exec = StreamBackend["exec"];

/** Says what it was asked for, gives its input back, and ends with 3. */
const parrot: Exec = async (_, { argv, tty }, { stdin, stdout, stderr, sizes }) => {
  stdout?.write(`${argv.join(" ")};${tty};`);
  stderr?.write("error output");
  if (stdin !== undefined) stdout?.write(await text(stdin));
  if (sizes.latest !== undefined) stdout?.write(`;${sizes.latest.width}x${sizes.latest.height}`);
  return 3;
};

const dialTo = (port: number) => async (): Promise<Socket> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
};

async function startStreaming(backend: Partial<StreamBackend> = {}, options: Partial<StreamingServerOptions> = {}) {
  const missing = () => Promise.reject(new Error("The test gave no such backend"));
  const server = new StreamingServer({
    address: "127.0.0.1:0",
    tls: undefined,
    backend: { exec: parrot, attach: missing, dial: missing, ...backend },
    log: createLog("silent"),
    ...options,
  });
  await server.listen();
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close(0) });
}

/** A server that gives back what it gets. */
async function startEcho() {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, [Symbol.dispose]: () => void server.close() };
}

const all = { tty: false, stdin: true, stdout: true, stderr: true };
const execRequest = (wanted = all): StreamRequest => ({ kind: "exec", containerId: "c", argv: ["a", "b"], wanted });
const forwardRequest = (ports: readonly number[] = []): StreamRequest => ({
  kind: "portforward",
  sandboxId: "s",
  ports,
});

describe("exec over SPDY", () => {
  test.each([
    ["v4.channel.k8s.io", /"reason":"ExitCode","message":"3"/],
    ["v3.channel.k8s.io", /^command terminated with non-zero exit code: exit status 3$/],
    ["v2.channel.k8s.io", /^command terminated with non-zero exit code: exit status 3$/],
    ["channel.k8s.io", /^command terminated with non-zero exit code: exit status 3$/],
  ])("%s: streams both ways, then the status, then the end", async (protocol, status) => {
    await using server = await startStreaming();
    using client = await SpdyClient.connect(server.url(execRequest()), protocol);
    const error = client.open({ streamtype: "error" });
    const stdin = client.open({ streamtype: "stdin" });
    const stdout = client.open({ streamtype: "stdout" });
    const stderr = client.open({ streamtype: "stderr" });
    client.write(stdin, "some ");
    client.write(stdin, "input", true);
    await client.closed();
    expect(client.stream(stdout)).toMatchObject({ text: "a b;false;some input", replied: true, ended: true });
    expect(client.stream(stderr)).toMatchObject({ text: "error output", ended: true });
    expect(client.stream(error).text).toMatch(status);
    expect(client.stream(error).ended).toBe(true);
    // A client may read on after none of the others.
    const kinds = client.frames.map((frame) => (frame.kind === "data" ? `data ${frame.streamId}` : frame.kind));
    expect(kinds.lastIndexOf(`data ${stdout}`)).toBeLessThan(kinds.indexOf(`data ${error}`));
    expect(kinds.at(-1)).toBe("goAway");
  });

  test("a terminal's size comes on a stream of its own", async () => {
    await using server = await startStreaming({
      exec: async (_, __, { stdout, sizes }) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        sizes.onChange(({ width, height }) => {
          stdout?.write(`${width}x${height};`);
          if (width === 3) resolve();
        });
        if (sizes.latest !== undefined) stdout?.write(`${sizes.latest.width}x${sizes.latest.height};`);
        await promise;
        return 0;
      },
    });
    const wanted = { tty: true, stdin: false, stdout: true, stderr: false };
    using client = await SpdyClient.connect(server.url(execRequest(wanted)), "v4.channel.k8s.io");
    const [error, stdout, resize] = ["error", "stdout", "resize"].map((streamtype) => client.open({ streamtype }));
    for (const width of [1, 2, 3]) client.write(resize ?? 0, `{"Width":${width},"Height":9}`);
    await client.closed();
    expect(client.stream(stdout ?? 0).text.endsWith("3x9;")).toBe(true);
    expect(JSON.parse(client.stream(error ?? 0).text)).toEqual({ metadata: {}, status: "Success" });
  });

  test("answers pings, and refuses streams that were not asked for", async () => {
    await using server = await startStreaming();
    using client = await SpdyClient.connect(server.url(execRequest()), "v4.channel.k8s.io");
    client.send({ kind: "ping", id: 41 });
    const [resize, unknown, first, second] = ["resize", "nonsense", "stdin", "stdin"].map((streamtype) =>
      client.open({ streamtype }),
    );
    await client.until("the pong", () => client.frames.some((frame) => frame.kind === "ping" && frame.id === 41));
    await client.until("the refusals", () => client.stream(second ?? 0).reset);
    expect([resize, unknown, first].map((id) => client.stream(id ?? 0).reset)).toEqual([true, true, false]);
  });

  test.each([
    [
      "an even stream",
      (client: SpdyClient) =>
        client.send({
          kind: "synStream",
          streamId: 2,
          fin: false,
          unidirectional: false,
          headerBlock: Buffer.from("x"),
        }),
    ],
    ["rubbish", (client: SpdyClient) => client.socket.write(Buffer.alloc(64, 0xff))],
  ])("ends a connection that sends %s", async (_, misbehave) => {
    await using server = await startStreaming();
    using client = await SpdyClient.connect(server.url(execRequest()), "v4.channel.k8s.io");
    misbehave(client);
    await client.closed();
  });

  test("a client that floods an input nobody reads is made to wait, and does not fill the agent", async () => {
    const { promise: release, resolve } = Promise.withResolvers<void>();
    await using server = await startStreaming({
      exec: async (_, __, { stdin }) => {
        await release;
        let bytes = 0;
        for await (const chunk of stdin ?? []) bytes += (chunk as Buffer).length;
        return bytes === 64 << 20 ? 0 : 1;
      },
    });
    using client = await SpdyClient.connect(server.url(execRequest({ ...all, stderr: false })), "v4.channel.k8s.io");
    const [error, stdin] = ["error", "stdin", "stdout"].map((streamtype) => client.open({ streamtype }));
    const before = process.memoryUsage.rss();
    const chunk = "x".repeat(1 << 20);
    for (let index = 0; index < 64; index++) client.write(stdin ?? 0, chunk, index === 63);
    await new Promise((later) => setTimeout(later, 300));
    // Most of it is still with the client, whose own buffers count here too.
    expect(client.socket.writableLength).toBeGreaterThan(32 << 20);
    expect(process.memoryUsage.rss() - before).toBeLessThan(160 << 20);
    resolve();
    await client.closed();
    expect(JSON.parse(client.stream(error ?? 0).text)).toMatchObject({ status: "Success" });
    // One that keeps to SPDY's windows is told that it may go on.
    const credit = client.frames.reduce(
      (sum, frame) => sum + (frame.kind === "windowUpdate" && frame.streamId !== 0 ? frame.delta : 0),
      0,
    );
    expect(credit).toBeGreaterThan(60 << 20);
  });

  test("the command learns that its client has gone", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    await using server = await startStreaming({
      exec: async (_, __, { gone }) => {
        await once(gone, "abort");
        resolve(gone.reason);
        throw gone.reason;
      },
    });
    using client = await SpdyClient.connect(server.url(execRequest()), "v4.channel.k8s.io");
    for (const streamtype of ["error", "stdin", "stdout", "stderr"]) client.open({ streamtype });
    await client.until("the answers", () => client.stream(7).replied);
    client.socket.destroy();
    expect(await promise).toMatchObject({ code: "Cancelled" });
  });
});

describe("exec over WebSocket", () => {
  const open = async (url: string, ...protocols: readonly string[]) => {
    const socket = new WebSocket(url, [...protocols]);
    const messages: { text: string; binary: boolean }[] = [];
    socket.on("message", (data: Buffer, binary) => messages.push({ text: data.toString("latin1"), binary }));
    const closed = once(socket, "close");
    await once(socket, "open");
    return { socket, messages, closed };
  };

  test("v5: an input can be ended alone", async () => {
    await using server = await startStreaming();
    const { socket, messages, closed } = await open(server.url(execRequest()), "v5.channel.k8s.io");
    socket.send(Buffer.from("\0some input"));
    socket.send(Buffer.of(255, 0));
    const [code] = (await closed) as [number];
    expect(code).toBe(1000);
    const of = (channel: string) =>
      messages.filter((each) => each.text.startsWith(channel)).map((each) => each.text.slice(1));
    expect(of("\x01").join("")).toBe("a b;false;some input");
    expect(of("\x02").join("")).toBe("error output");
    expect(JSON.parse(of("\x03").join(""))).toMatchObject({ reason: "NonZeroExitCode" });
    expect(messages.at(0)).toEqual({ text: "\x01", binary: true });
    expect(messages.at(-1)?.text.startsWith("\x03")).toBe(true);
  });

  test.each([
    ["v4.channel.k8s.io", true, /NonZeroExitCode/],
    ["v4.base64.channel.k8s.io", false, /NonZeroExitCode/],
    ["channel.k8s.io", true, /^command terminated/],
    ["base64.channel.k8s.io", false, /^command terminated/],
    ["", true, /^command terminated/],
  ])("%j", async (protocol, binary, status) => {
    await using server = await startStreaming();
    const wanted = { ...all, stdin: false };
    const { socket, messages, closed } = await open(
      server.url(execRequest(wanted)),
      ...(protocol === "" ? [] : [protocol]),
    );
    expect(socket.protocol).toBe(protocol);
    await closed;
    const decoded = messages.map((each) => {
      const content = each.text.slice(1);
      const channel = binary ? each.text.charCodeAt(0) : Number(each.text[0]);
      return { channel, text: binary ? content : Buffer.from(content, "base64").toString(), binary: each.binary };
    });
    expect(decoded.every((each) => each.binary === binary)).toBe(true);
    const of = (channel: number) =>
      decoded
        .filter((each) => each.channel === channel)
        .map((each) => each.text)
        .join("");
    expect([of(1), of(2)]).toEqual(["a b;false;", "error output"]);
    expect(of(3)).toMatch(status);
  });

  test("the command learns that its client has gone, also while its input is full", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    await using server = await startStreaming({
      exec: async (_, __, { gone }) => {
        await once(gone, "abort");
        resolve(gone.reason);
        throw gone.reason;
      },
    });
    const { socket } = await open(server.url(execRequest()), "v5.channel.k8s.io");
    socket.on("error", () => undefined);
    socket.send(Buffer.from("\0input"));
    socket.terminate();
    expect(await promise).toMatchObject({ code: "Cancelled" });
  });
});

describe("attach", () => {
  test("ends with Success, or with why it failed", async () => {
    const outcomes = [async () => undefined, async () => Promise.reject(new Error("no such luck"))];
    await using server = await startStreaming({ attach: () => (outcomes.shift() ?? outcomes[0] ?? Promise.resolve)() });
    for (const expected of [/"Success"/, /"InternalError".*500/]) {
      const request: StreamRequest = { kind: "attach", containerId: "c", wanted: { ...all, stdin: false } };
      using client = await SpdyClient.connect(server.url(request), "v4.channel.k8s.io");
      const [error] = ["error", "stdout", "stderr"].map((streamtype) => client.open({ streamtype }));
      await client.closed();
      expect(client.stream(error ?? 0).text).toMatch(expected);
    }
  });
});

describe("port-forward", () => {
  const pair = (client: SpdyClient, requestid: string, port = "80") => ({
    error: client.open({ streamtype: "error", port, requestid }),
    data: client.open({ streamtype: "data", port, requestid }),
  });

  test("SPDY: each pair of streams is a connection", async () => {
    using echo = await startEcho();
    const ports: number[] = [];
    await using server = await startStreaming({
      dial: (_, port) => {
        ports.push(port);
        return dialTo(echo.port)();
      },
    });
    using client = await SpdyClient.connect(server.url(forwardRequest()), "portforward.k8s.io");
    const pairs = ["0", "1", "2"].map((id) => pair(client, id, String(8000 + Number(id))));
    for (const { data } of pairs) client.write(data, `hello ${data}`, true);
    await client.until("the echoes", () =>
      pairs.every(({ data, error }) => client.stream(data).ended && client.stream(error).ended),
    );
    expect(pairs.map(({ data }) => client.stream(data).text)).toEqual(pairs.map(({ data }) => `hello ${data}`));
    expect(pairs.map(({ error }) => client.stream(error).text)).toEqual(["", "", ""]);
    expect(ports.toSorted()).toEqual([8000, 8001, 8002]);
  });

  test("SPDY: a connection that the server resets is reset, and the others go on", async () => {
    using echo = await startEcho();
    const resetting = createServer((socket) => socket.once("data", () => socket.resetAndDestroy())).listen(
      0,
      "127.0.0.1",
    );
    using _resetting = { [Symbol.dispose]: () => void resetting.close() };
    await once(resetting, "listening");
    const { port: resettingPort } = resetting.address() as AddressInfo;
    await using server = await startStreaming({ dial: (_, port) => dialTo(port === 1 ? resettingPort : echo.port)() });
    using client = await SpdyClient.connect(server.url(forwardRequest()), "portforward.k8s.io");
    const [reset, well] = [pair(client, "0", "1"), pair(client, "1", "2")];
    client.write(reset.data, "x");
    await client.until("the reset", () => client.stream(reset.data).reset && client.stream(reset.error).ended);
    expect(client.stream(reset.error).text).toBe("");
    client.write(well.data, "still here", true);
    await client.until("the echo", () => client.stream(well.data).ended);
    expect(client.stream(well.data).text).toBe("still here");
  });

  test("SPDY: a refused connection is told on the error stream, and both streams are reset", async () => {
    await using server = await startStreaming({ dial: () => Promise.reject(new Error("nobody listens")) });
    using client = await SpdyClient.connect(server.url(forwardRequest()), "portforward.k8s.io");
    const { data, error } = pair(client, "0");
    await client.until("the resets", () => client.stream(data).reset && client.stream(error).reset);
    expect(client.stream(error).text).toBe("error forwarding port 80: nobody listens");
    expect(client.ended).toBe(false);
  });

  test("WebSocket channels: two for each port, which begin with its number", async () => {
    using echo = await startEcho();
    await using server = await startStreaming({
      dial: (_, port) => (port === 258 ? dialTo(echo.port)() : Promise.reject(new Error("nobody listens"))),
    });
    const webSocket = new WebSocket(server.url(forwardRequest([258, 9])), ["v4.channel.k8s.io"]);
    const received = new Map<number, Buffer>();
    webSocket.on("message", (message: Buffer) => {
      const channel = message[0] ?? -1;
      received.set(channel, Buffer.concat([received.get(channel) ?? Buffer.alloc(0), message.subarray(1)]));
    });
    await once(webSocket, "open");
    webSocket.send(Buffer.from("\0hello"));
    await eventually("the echo", () => received.get(0)?.toString("latin1") === "\x02\x01hello");
    await eventually("the refusal", () => received.get(3)?.toString().includes("nobody listens"));
    expect([received.get(1)?.toString("latin1"), received.get(2)?.toString("latin1")]).toEqual(["\x02\x01", "\x09\0"]);
    webSocket.terminate();
  });
});

describe("StreamingServer", () => {
  const upgrade = { Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io" };
  const statusOf = async (url: string, headers: Readonly<Record<string, string>> = upgrade) => {
    const answer = await askUpgrade(url, headers);
    if ("refused" in answer) return answer.refused.statusCode;
    answer.socket.destroy();
    return 101;
  };

  test("a URL is absolute, has a secret of 128 bits or more, and works once", async () => {
    await using server = await startStreaming();
    const urls = Array.from({ length: 100 }, () => server.url(execRequest()));
    expect(new Set(urls).size).toBe(100);
    for (const url of urls) expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/exec\/[A-Za-z0-9_-]{22,}$/);
    const [url = ""] = urls;
    expect([await statusOf(url), await statusOf(url)]).toEqual([101, 404]);
  });

  test.each([
    ["another kind's path", (url: string) => url.replace("/exec/", "/attach/"), upgrade, 404],
    ["a longer path", (url: string) => `${url}/x`, upgrade, 404],
    ["no token", (url: string) => url.replace(/exec\/.*/, "exec/"), upgrade, 404],
    ["no protocol", (url: string) => url, { Upgrade: "SPDY/3.1" }, 400],
    ["no protocol that is known", (url: string) => url, { ...upgrade, "X-Stream-Protocol-Version": "v9" }, 403],
    ["another upgrade", (url: string) => url, { Upgrade: "h2c" }, 400],
    ["a foreign Host", (url: string) => url, { ...upgrade, Host: "evil.example" }, 403],
  ])("refuses %s", async (_, change, headers, status) => {
    await using server = await startStreaming();
    expect(await statusOf(change(server.url(execRequest())), headers)).toBe(status);
  });

  test("a request without an upgrade uses the token up", async () => {
    await using server = await startStreaming();
    const url = server.url(execRequest());
    const [response] = await once(get(url), "response");
    expect(response.statusCode).toBe(400);
    response.resume();
    expect(await statusOf(url)).toBe(404);
  });

  test("tokens expire, and only so many wait at once", async () => {
    await using server = await startStreaming({}, { tokenLifetimeMs: 50, mostTokens: 2 });
    const url = server.url(execRequest());
    server.url(execRequest());
    expect(() => server.url(execRequest())).toThrow(expect.objectContaining({ code: "ResourceExhausted" }));
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(await statusOf(url)).toBe(404);
    server.url(execRequest());
  });

  test("the older port-forward protocol needs its ports from the call", async () => {
    await using server = await startStreaming();
    const webSocket = new WebSocket(server.url(forwardRequest()));
    const [error] = await once(webSocket, "error");
    expect(String(error)).toContain("400");
  });

  test("its end is told to those who are there, and new ones find nobody", async () => {
    const server = await startStreaming({
      exec: async (_, __, { gone }: ProcessStreams) => {
        await once(gone, "abort");
        throw gone.reason;
      },
    });
    const url = server.url(execRequest());
    using client = await SpdyClient.connect(server.url(execRequest()), "v4.channel.k8s.io");
    const [error] = ["error", "stdin", "stdout", "stderr"].map((streamtype) => client.open({ streamtype }));
    await client.until("the answers", () => client.stream(7).replied);
    await server.close(5_000);
    await client.closed();
    expect(JSON.parse(client.stream(error ?? 0).text)).toMatchObject({
      status: "Failure",
      message: expect.stringContaining("The agent is being stopped"),
    });
    await expect(statusOf(url)).rejects.toThrow("ECONNREFUSED");
  });

  test("cuts what does not end in time", async () => {
    const { promise: never } = Promise.withResolvers<number>();
    const server = await startStreaming({
      exec: (_, __, { gone }) => Promise.race([never, once(gone, "abort").then(() => 0)]),
    });
    using client = await SpdyClient.connect(server.url(execRequest()), "v4.channel.k8s.io");
    // Never opens its streams.
    await server.close(50);
    await client.closed();
  });

  test("speaks TLS with a certificate", async () => {
    const directory = mkdtempSync(join(tmpdir(), "podling-streaming-"));
    using _directory = { [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
    const certificates = new Certificates(join(directory, "certs"));
    certificates.make("server");
    const pem = (name: string) => readFileSync(join(directory, "certs", name), "utf8");
    const tls = { cert: pem("server.crt"), key: pem("server.key") };
    await using server = await startStreaming({}, { tls });
    const url = server.url(execRequest());
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:/);
    const ca = pem("authority.crt");
    const [response] = await once(secureGet(url, { ca }), "response");
    expect(response.statusCode).toBe(400);
    response.resume();
    const webSocket = new WebSocket(server.url(execRequest({ ...all, stdin: false })), ["v5.channel.k8s.io"], { ca });
    const closed = once(webSocket, "close");
    await closed;
    expect(webSocket.protocol).toBe("v5.channel.k8s.io");
  });

  test("says when certificate and key are none", async () => {
    await expect(startStreaming({}, { tls: { cert: "no PEM", key: "none" } })).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining("streaming.cert"),
    });
  });

  test("says which address can't be had", async () => {
    await using first = await startStreaming();
    const address = new URL(first.baseUrl).host;
    await expect(startStreaming({}, { address })).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining(address),
    });
  });
});
