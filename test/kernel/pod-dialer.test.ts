import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, describe, expect, test } from "vitest";
import { PodDialer } from "../../src/runtime/pod-dialer.ts";
import { PinnedNamespaces } from "../../src/runtime/pod-namespaces.ts";
import { KernelWorker } from "../../src/system/kernel-worker.ts";
import { connectInNetns } from "../../src/system/netns-connection.ts";
import { eventually } from "../support/eventually.ts";

const name = `nt${randomBytes(5).toString("hex")}`;
const netns = `/run/netns/${name}`;
const kernel = new KernelWorker();
const namespaces = new PinnedNamespaces(kernel);
const dialer = new PodDialer(kernel);

afterAll(async () => {
  await namespaces.remove({ net: netns });
  await kernel[Symbol.asyncDispose]();
});

/** Gives back what it gets, inside the namespace. */
async function startEcho(port: number): Promise<ChildProcess & Disposable> {
  const server = spawn("ip", ["netns", "exec", name, "busybox", "nc", "-ll", "-p", String(port), "-e", "cat"]);
  const listening = () => execFileSync("ip", ["netns", "exec", name, "ss", "-Hltn"], { encoding: "utf8" });
  await eventually("the server", () => listening().includes(`:${port} `));
  return Object.assign(server, { [Symbol.dispose]: () => void server.kill("SIGKILL") });
}

async function echoed(socket: Socket, words: string): Promise<string> {
  socket.end(words);
  const answer = await text(socket);
  socket.destroy();
  return answer;
}

/** How many sockets the process has. */
function openSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

describe("PodDialer.connect()", () => {
  test("connects inside the pod's namespace, where the host has nothing", async () => {
    await namespaces.create({ net: netns }, "");
    using _server = await startEcho(8080);
    expect(await echoed(await dialer.connect(netns, 8080), "hello")).toBe("hello");
    await expect(dialer.connect(undefined, 8080)).rejects.toMatchObject({ code: "Unavailable" });
  });

  test.each([
    ["127.0.0.1", "IPv4"],
    ["::1", "IPv6"],
  ])("connects to the host's %s", async (host) => {
    await using server = createServer((socket) => socket.end("welcome")).listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await echoed(await dialer.connect(undefined, port), "")).toBe("welcome");
  });

  test("says who refused, and leaves no socket open", async () => {
    const before = openSockets();
    const words = /port 8081 of the pod: .*127\.0\.0\.1 port 8081: ECONNREFUSED; .*::1 port 8081: ECONNREFUSED/;
    await expect(dialer.connect(netns, 8081)).rejects.toThrow(words);
    await expect(dialer.connect(`${netns}-gone`, 8081)).rejects.toThrow("ENOENT");
    expect(openSockets()).toBe(before);
  });

  test("waits for a server whose queue is full", async () => {
    using server = await startEcho(8082);
    const [pid = ""] = execFileSync("ip", ["netns", "pids", name], { encoding: "utf8" }).split("\n");
    process.kill(Number(pid), "SIGSTOP");
    await eventually("the stopped server", () => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") T "));
    const before = openSockets();
    // A time limit holds without an answer too. The queue takes a few.
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => connectInNetns(kernel, netns, "127.0.0.1", 8082, 200)),
    );
    const queued = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    expect(queued.length).toBeLessThan(8);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({ reason: { errno: "ETIMEDOUT" } });
    expect(openSockets()).toBe(before + queued.length);
    const late = dialer.connect(netns, 8082);
    process.kill(Number(pid), "SIGCONT");
    expect(await echoed(await late, "late")).toBe("late");
    for (const socket of queued) expect(await echoed(socket, "queued")).toBe("queued");
    server.kill();
  });
});
