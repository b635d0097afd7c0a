import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLoopbackHost, splitHostPort } from "../../../src/common/loopback.ts";
import { planUpgrade } from "../../../src/rpc/streaming/plan-upgrade.ts";
import { PortForwardPairs } from "../../../src/rpc/streaming/port-forward-pairs.ts";
import { expectedStreams } from "../../../src/rpc/streaming/spdy-command.ts";
import { isHostAllowed, planStreamingAddress } from "../../../src/rpc/streaming/streaming-address.ts";
import { TokenStore } from "../../../src/rpc/streaming/token-store.ts";

describe("planUpgrade()", () => {
  const spdy = (versions?: string) => ({
    upgrade: "SPDY/3.1",
    ...(versions === undefined ? {} : { "x-stream-protocol-version": versions }),
  });
  const webSocket = (protocols?: string) => ({
    upgrade: "websocket",
    ...(protocols === undefined ? {} : { "sec-websocket-protocol": protocols }),
  });

  test.each([
    ["exec", spdy("v5.channel.k8s.io, v4.channel.k8s.io, v3.channel.k8s.io"), "spdy", "v4.channel.k8s.io"],
    ["exec", spdy("v2.channel.k8s.io,channel.k8s.io"), "spdy", "v2.channel.k8s.io"],
    ["attach", spdy("channel.k8s.io"), "spdy", "channel.k8s.io"],
    ["portforward", spdy("portforward.k8s.io"), "spdy", "portforward.k8s.io"],
    ["portforward", webSocket("SPDY/3.1+portforward.k8s.io"), "tunnel", "SPDY/3.1+portforward.k8s.io"],
  ] as const)("%s with %j: %s %s", (kind, headers, transport, protocol) => {
    expect(planUpgrade(kind, headers)).toEqual({ kind: transport, protocol });
  });

  test.each([
    ["exec", webSocket("v5.channel.k8s.io"), "v5.channel.k8s.io"],
    ["exec", webSocket("v9.channel.k8s.io, base64.channel.k8s.io"), "base64.channel.k8s.io"],
    ["attach", { upgrade: "WebSocket" }, ""],
    ["portforward", webSocket("v4.base64.channel.k8s.io"), "v4.base64.channel.k8s.io"],
    ["portforward", webSocket(), ""],
  ] as const)("%s with %j: channels of %j", (kind, headers, name) => {
    expect(planUpgrade(kind, headers)).toMatchObject({ kind: "channels", protocol: { name } });
  });

  test.each([
    ["exec", {}, 400, "Upgrade"],
    ["exec", { upgrade: "h2c" }, 400, "SPDY/3.1"],
    ["exec", spdy(), 400, "X-Stream-Protocol-Version is required"],
    ["exec", spdy("v5.channel.k8s.io"), 403, "v5.channel.k8s.io"],
    ["exec", spdy("portforward.k8s.io"), 403, "portforward.k8s.io"],
    ["portforward", spdy("v4.channel.k8s.io"), 403, "portforward.k8s.io"],
    ["portforward", webSocket("v5.channel.k8s.io"), 403, "SPDY/3.1+portforward.k8s.io"],
    ["exec", webSocket("SPDY/3.1+portforward.k8s.io"), 403, "v5.channel.k8s.io"],
  ] as const)("%s with %j is refused with %i", (kind, headers, status, message) => {
    expect(planUpgrade(kind, headers)).toMatchObject({
      kind: "refuse",
      status,
      message: expect.stringContaining(message),
    });
  });

  test("tells a client of other protocols which there are", () => {
    expect(planUpgrade("exec", spdy("v9"))).toMatchObject({
      headers: {
        "X-Accepted-Stream-Protocol-Versions":
          "v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io",
      },
    });
  });
});

describe("expectedStreams()", () => {
  const none = { tty: false, stdin: false, stdout: false, stderr: false };
  test.each([
    ["v4.channel.k8s.io", { ...none, stdout: true, stderr: true }, ["error", "stdout", "stderr"]],
    ["v4.channel.k8s.io", { ...none, tty: true, stdin: true, stdout: true }, ["error", "stdin", "stdout", "resize"]],
    ["v3.channel.k8s.io", { ...none, tty: true, stdout: true }, ["error", "stdout", "resize"]],
    ["v2.channel.k8s.io", { ...none, tty: true, stdout: true }, ["error", "stdout"]],
    ["channel.k8s.io", { ...none, stdin: true }, ["error", "stdin"]],
  ])("%s %j", (protocol, wanted, streams) => {
    expect(expectedStreams(protocol, wanted)).toEqual(streams);
  });
});

describe("TokenStore", () => {
  const store = (mostTokens = 1000) => {
    let last = 0;
    return new TokenStore<string>({ lifetimeMs: 60_000, mostTokens, newToken: () => `token-${++last}` });
  };

  test("a token works once, within its time", () => {
    const tokens = store();
    const [first, second] = [tokens.issue("a", 0), tokens.issue("b", 1000)];
    expect(tokens.consume(first, 59_999)).toBe("a");
    expect(tokens.consume(first, 59_999)).toBeUndefined();
    expect(tokens.consume("other", 0)).toBeUndefined();
    expect(tokens.consume(second, 61_000)).toBeUndefined();
  });

  test("refuses more than so many at once, until some were used or have expired", () => {
    const tokens = store(3);
    const issued = [0, 1, 2].map((nowMs) => tokens.issue("x", nowMs));
    expect(() => tokens.issue("x", 3)).toThrow(expect.objectContaining({ code: "ResourceExhausted" }));
    tokens.consume(issued[1] ?? "", 4);
    tokens.issue("x", 5);
    expect(() => tokens.issue("x", 59_999)).toThrow(expect.objectContaining({ code: "ResourceExhausted" }));
    tokens.issue("x", 60_000);
  });

  test("never holds more than it may, and never gives a request twice", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(40_000), fc.nat(20))), (steps) => {
        const tokens = store(5);
        const issued: { token: string; at: number; used: boolean }[] = [];
        let nowMs = 0;
        for (const [issue, pauseMs, which] of steps) {
          nowMs += pauseMs;
          const alive = issued.filter(({ at, used }) => !used && at + 60_000 > nowMs);
          if (issue && alive.length < 5) issued.push({ token: tokens.issue("r", nowMs), at: nowMs, used: false });
          else if (issue) expect(() => tokens.issue("r", nowMs)).toThrow();
          const chosen = issued[which];
          if (issue || chosen === undefined) continue;
          const good = !chosen.used && chosen.at + 60_000 > nowMs;
          expect(tokens.consume(chosen.token, nowMs)).toBe(good ? "r" : undefined);
          chosen.used = true;
        }
      }),
    );
  });
});

describe("PortForwardPairs", () => {
  const stream = (id: number, streamtype: string, port = "80", requestid = "") => ({
    id,
    headers: { streamtype, port, ...(requestid === "" ? {} : { requestid }) },
  });

  test("brings together what has one request id, in any order", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.infiniteStream(fc.nat()), (count, random) => {
        const all = Array.from({ length: count }, (_, index) => [
          stream(4 * index + 1, "error", String(index + 1), String(index)),
          stream(4 * index + 3, "data", String(index + 1), String(index)),
        ]).flat();
        const shuffled = all.map((each) => ({ each, key: random.next().value })).sort((a, b) => a.key - b.key);
        const pairs = new PortForwardPairs<(typeof all)[number]>();
        const complete = shuffled.map(({ each }) => pairs.add(each)).filter((step) => step.kind === "complete");
        expect(complete).toHaveLength(count);
        for (const { requestId, pair } of complete) {
          expect([pair.data.headers.streamtype, pair.error.headers.streamtype]).toEqual(["data", "error"]);
          expect(pair.port).toBe(Number(requestId) + 1);
        }
      }),
    );
  });

  test("clients without request ids: the data stream comes right after the error stream", () => {
    const pairs = new PortForwardPairs<ReturnType<typeof stream>>();
    expect(pairs.add(stream(1, "error"))).toMatchObject({ kind: "wait" });
    expect(pairs.add(stream(3, "data"))).toMatchObject({ kind: "complete", pair: { port: 80 } });
  });

  test.each([
    ["a type there is not", stream(1, "stdin")],
    ["no port", stream(1, "data", "")],
    ["port 0", stream(1, "data", "0")],
    ["a port too high", stream(1, "data", "65536")],
    ["a port that is no number", stream(1, "data", "80x")],
  ])("refuses %s", (_, each) => {
    expect(new PortForwardPairs().add(each)).toMatchObject({ kind: "refuse" });
  });

  test("refuses a second stream of a kind, and forgets a request that was given up", () => {
    const pairs = new PortForwardPairs<ReturnType<typeof stream>>();
    const first = stream(1, "error", "80", "r");
    pairs.add(first);
    expect(pairs.add(stream(3, "error", "80", "r"))).toMatchObject({ kind: "refuse" });
    expect(pairs.abandon("r")).toEqual({ error: first });
    expect(pairs.add(stream(5, "data", "80", "r"))).toMatchObject({ kind: "wait" });
  });
});

describe("streaming addresses", () => {
  const address = (family: "IPv4" | "IPv6", text: string, internal = false) => ({
    family,
    address: text,
    internal,
    netmask: "",
    mac: "",
    cidr: null,
    ...(family === "IPv6" ? { scopeid: 0 } : {}),
  });
  const interfaces = {
    lo: [address("IPv4", "127.0.0.1", true), address("IPv6", "::1", true)],
    eth0: [address("IPv6", "fe80::1"), address("IPv4", "10.0.0.7"), address("IPv6", "fd00::7")],
  } as unknown as Parameters<typeof planStreamingAddress>[1];

  test.each([
    ["127.0.0.1:0", { bindHost: "127.0.0.1", port: 0, urlHost: "127.0.0.1", loopback: true }],
    ["localhost:81", { bindHost: "localhost", port: 81, urlHost: "localhost", loopback: true }],
    ["[::1]:81", { bindHost: "::1", port: 81, urlHost: "[::1]", loopback: true }],
    ["10.0.0.7:81", { bindHost: "10.0.0.7", port: 81, urlHost: "10.0.0.7", loopback: false }],
    ["node.example:81", { bindHost: "node.example", port: 81, urlHost: "node.example", loopback: false }],
    ["0.0.0.0:81", { bindHost: "0.0.0.0", port: 81, urlHost: "10.0.0.7", loopback: false }],
    ["[::]:81", { bindHost: "::", port: 81, urlHost: "[fd00::7]", loopback: false }],
    [":81", { bindHost: undefined, port: 81, urlHost: "10.0.0.7", loopback: false }],
  ])("%s", (text, plan) => {
    expect(planStreamingAddress(text, interfaces)).toEqual(plan);
  });

  test.each([
    ["127.0.0.1:0", "127.0.0.1:4711", true],
    ["127.0.0.1:0", "localhost:4711", true],
    ["127.0.0.1:0", "[::1]", true],
    ["127.0.0.1:0", "evil.example:4711", false],
    ["127.0.0.1:0", "127.0.0.1.evil.example", false],
    ["127.0.0.1:0", "10.0.0.7", false],
    ["127.0.0.1:0", undefined, false],
    ["127.0.0.1:0", "", false],
    ["0.0.0.0:0", "evil.example", true],
  ])("bound to %s, Host %s: %s", (bound, host, allowed) => {
    expect(isHostAllowed(planStreamingAddress(bound, interfaces), host)).toBe(allowed);
  });

  test.each([
    ["127.255.0.1", true],
    ["LOCALHOST", true],
    ["::1", true],
    ["[::1]", true],
    ["128.0.0.1", false],
    ["::2", false],
    ["", false],
    ["localhost.example", false],
    ["0177.0.0.1", false],
  ])("isLoopbackHost(%j) is %s", (host, wanted) => {
    expect(isLoopbackHost(host)).toBe(wanted);
  });

  test.each([
    ["a:1", { host: "a", port: 1 }],
    ["a", { host: "a", port: 0 }],
    ["[::1]:65535", { host: "[::1]", port: 65_535 }],
    ["a:65536", undefined],
    ["::1", undefined],
    ["a:b", undefined],
  ])("splitHostPort(%j)", (text, wanted) => {
    expect(splitHostPort(text)).toEqual(wanted);
  });
});
