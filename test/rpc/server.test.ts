import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import { createServer as createSocketServer } from "node:net";
import { dirname, join } from "node:path";
import { credentials, loadPackageDefinition, type ServiceClientConstructor, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthService, protoPath } from "grpc-health-check";
import { afterEach, describe, expect, test } from "vitest";
import { AgentError } from "../../src/common/errors.ts";
import type { Log } from "../../src/common/log.ts";
import type { ExecSyncResponse__Output } from "../../src/generated/runtime/v1/ExecSyncResponse.ts";
import { createServer } from "../../src/rpc/server.ts";
import { ask, callByName, fakeDeps, refusal, startServer, temporarySocket } from "./fake-agent.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

function socketPath(): string {
  const path = temporarySocket();
  folders.push(dirname(path));
  return path;
}

describe("listen()", () => {
  test("shows the socket with mode 0660 only, and leaves nothing beside it", async () => {
    await using agent = await startServer();
    expect(statSync(agent.address).mode & 0o7777).toBe(0o660);
    expect(statSync(agent.address).isSocket()).toBe(true);
    expect(existsSync(join(dirname(agent.address), ".s.sock.new"))).toBe(false);
  });

  test("leaves this process's umask alone", async () => {
    const before = process.umask();
    await using _agent = await startServer();
    expect(process.umask()).toBe(before);
  });

  test("replaces the socket of a process that was killed", async () => {
    const path = socketPath();
    await mkdir(dirname(path), { recursive: true });
    const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
    const killed = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(killed.stdout, "data");
    killed.kill("SIGKILL");
    await once(killed, "exit");
    expect(statSync(path).isSocket()).toBe(true);
    const server = createServer(fakeDeps());
    await server.listen(path);
    await server.close(0);
    expect(existsSync(path)).toBe(false);
  });

  test("clears what a process left that was killed between binding and showing", async () => {
    const path = socketPath();
    await mkdir(join(dirname(path), ".s.sock.new"), { recursive: true });
    writeFileSync(join(dirname(path), ".s.sock.new", "s"), "");
    const server = createServer(fakeDeps());
    await server.listen(`unix://${path}`);
    await server.close(0);
  });

  test("refuses a path where another process answers, and leaves it in place", async () => {
    await using agent = await startServer();
    const other = createServer(fakeDeps());
    await expect(other.listen(agent.address)).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining("another process answers"),
    });
    await expect(ask((done) => agent.runtime.Version({}, done))).resolves.toMatchObject({ runtime_name: "podling" });
    await other.close(0);
  });

  test("refuses a busy listener that accepts nothing", async () => {
    const path = socketPath();
    await mkdir(dirname(path), { recursive: true });
    const busy = createSocketServer().listen(path);
    await once(busy, "listening");
    await expect(createServer(fakeDeps()).listen(path)).rejects.toMatchObject({ code: "FailedPrecondition" });
    busy.close();
  });

  test.each([
    ["a file", (path: string) => Promise.resolve(writeFileSync(path, "precious"))],
    ["a symbolic link", (path: string) => symlink("/etc/passwd", path)],
  ])("refuses to take %s away", async (_what, place) => {
    const path = socketPath();
    await mkdir(dirname(path), { recursive: true });
    await place(path);
    await expect(createServer(fakeDeps()).listen(path)).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining("is no socket"),
    });
    expect(existsSync(path)).toBe(true);
  });

  test.each(["relative.sock", "", "unix://relative", `/tmp/${"x".repeat(120)}/s.sock`])(
    "refuses address %j",
    async (address) => {
      await expect(createServer(fakeDeps()).listen(address)).rejects.toMatchObject({ code: "InvalidArgument" });
    },
  );
});

describe("messages", () => {
  const big = 10 * 1024 * 1024;

  test("of 10 MiB pass both ways", async () => {
    let received = 0;
    await using agent = await startServer({
      sandboxes: {
        execSync: async (_id, argv) => {
          received = argv[0]?.length ?? 0;
          return { stdout: Buffer.alloc(big, "o"), stderr: Buffer.alloc(0), exitCode: 3 };
        },
      },
    });
    const request = { container_id: "c", cmd: ["x".repeat(big)] };
    const answer = await ask<ExecSyncResponse__Output>((done) => agent.runtime.ExecSync(request, done));
    expect([received, answer.stdout.length, answer.exit_code]).toEqual([big, big, 3]);
  });

  test("beyond 16 MiB are refused as such, and the connection goes on", async () => {
    await using agent = await startServer();
    const request = { container_id: "c", cmd: ["x".repeat(17 << 20)] };
    const error = await refusal(ask((done) => agent.runtime.ExecSync(request, done)));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    await ask((done) => agent.runtime.Version({}, done));
  });

  test("of two full outputs are cut so that they fit", async () => {
    await using agent = await startServer({
      sandboxes: {
        execSync: async () => ({
          stdout: Buffer.alloc(16 << 20, "o"),
          stderr: Buffer.alloc(16 << 20, "e"),
          exitCode: 0,
        }),
      },
    });
    const answer = await ask<ExecSyncResponse__Output>((done) =>
      agent.runtime.ExecSync({ container_id: "c", cmd: ["x"] }, done),
    );
    expect(answer.stdout.length).toBe(answer.stderr.length);
    expect(answer.stdout.length).toBeGreaterThan(7 << 20);
  });
});

describe("deadlines", () => {
  test("end the caller's wait with DeadlineExceeded and tell the work", async () => {
    const { promise: reason, resolve } = Promise.withResolvers<unknown>();
    await using agent = await startServer({
      images: {
        pull: (_request, signal) =>
          new Promise((_resolve, reject) => {
            signal?.addEventListener("abort", () => {
              resolve(signal.reason);
              reject(signal.reason);
            });
          }),
      },
    });
    const call = ask((done) =>
      agent.images.PullImage({ image: { image: "debian" } }, { deadline: Date.now() + 100 }, done),
    );
    expect((await refusal(call)).code).toBe(status.DEADLINE_EXCEEDED);
    expect(await reason).toMatchObject({ code: "DeadlineExceeded" });
  });

  test("of one millisecond answer DeadlineExceeded", async () => {
    await using agent = await startServer({ images: { pull: () => new Promise(() => undefined) } });
    const call = ask((done) =>
      agent.images.PullImage({ image: { image: "debian" } }, { deadline: Date.now() + 1 }, done),
    );
    expect((await refusal(call)).code).toBe(status.DEADLINE_EXCEEDED);
  });

  test("are told apart from a caller that goes away", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: reason, resolve } = Promise.withResolvers<unknown>();
    await using agent = await startServer({
      images: {
        pull: (_request, signal) => {
          start();
          return new Promise((_resolve, reject) => {
            signal?.addEventListener("abort", () => {
              resolve(signal.reason);
              reject(signal.reason);
            });
          });
        },
      },
    });
    const call = agent.images.PullImage(
      { image: { image: "debian" } },
      { deadline: Date.now() + 60_000 },
      () => undefined,
    );
    await started;
    call.cancel();
    expect(await reason).toMatchObject({ code: "Cancelled" });
  });
});

describe("errors", () => {
  test("carry the code and message of the work's own error, and one log line", async () => {
    const lines: object[] = [];
    const write = (level: string) => (fields: object, msg: string) => lines.push({ level, ...fields, msg });
    const log = {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: () => log,
    } as unknown as Log;
    await using agent = await startServer({
      log,
      sandboxes: {
        startContainer: async () => {
          throw new AgentError("NotFound", 'Container "abc" is not there');
        },
      },
    });
    const error = await refusal(ask((done) => agent.runtime.StartContainer({ container_id: "abc" }, done)));
    expect(error).toMatchObject({ code: status.NOT_FOUND, details: 'Container "abc" is not there' });
    expect(lines).toEqual([
      {
        level: "warn",
        rpc: "StartContainer",
        containerId: "abc",
        code: "NOT_FOUND",
        error: 'Container "abc" is not there',
        durationMs: expect.any(Number),
        msg: "RPC failed",
      },
    ]);
  });

  test("of a handler that throws synchronously are answered too", async () => {
    await using agent = await startServer({
      sandboxes: {
        listSandboxes: () => {
          throw new TypeError("oops");
        },
      },
    });
    const error = await refusal(ask((done) => agent.runtime.ListPodSandbox({}, done)));
    expect(error).toMatchObject({ code: status.INTERNAL, details: "Internal error: oops" });
  });

  test("end a stream with their code", async () => {
    await using agent = await startServer({
      sandboxes: {
        listSandboxes: () => {
          throw new AgentError("InvalidArgument", "ambiguous");
        },
      },
    });
    const stream = agent.runtime.StreamPodSandboxes({});
    stream.resume();
    const [error] = await once(stream, "error");
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: "ambiguous" });
  });
});

describe("RPCs that are not built", () => {
  test.each(["CheckpointPod", "RestorePod"] as const)("%s answers Unimplemented by name", async (name) => {
    await using agent = await startServer();
    const error = await refusal(ask((done) => callByName(agent.runtime, name)({}, done)));
    expect(error).toMatchObject({ code: status.UNIMPLEMENTED, details: `${name} is not implemented yet` });
  });
});

describe("health", () => {
  const Health = loadPackageDefinition(
    loadSync(protoPath, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }),
  ) as unknown as { grpc: { health: { v1: { Health: ServiceClientConstructor } } } };

  test.each(["", "runtime.v1.RuntimeService", "runtime.v1.ImageService"])("of %j is SERVING", async (service) => {
    await using agent = await startServer();
    const client = new Health.grpc.health.v1.Health(`unix:${agent.address}`, credentials.createInsecure());
    expect(await ask((done) => callByName(client, "check")({ service }, done))).toEqual({ status: "SERVING" });
    client.close();
  });

  test("is a service of grpc.health.v1", () => {
    expect(Object.values(healthService).map(({ path }) => path)).toContain("/grpc.health.v1.Health/Check");
  });
});

describe("reflection", () => {
  test("lists the services and gives their descriptors", async () => {
    await using agent = await startServer();
    const root = join(import.meta.dirname, "../../node_modules/@grpc/reflection/build/proto");
    const loaded = loadPackageDefinition(
      loadSync("grpc/reflection/v1/reflection.proto", { includeDirs: [root], keepCase: true, oneofs: true }),
    ) as unknown as { grpc: { reflection: { v1: { ServerReflection: ServiceClientConstructor } } } };
    const client = new loaded.grpc.reflection.v1.ServerReflection(
      `unix:${agent.address}`,
      credentials.createInsecure(),
    );
    const stream = client["ServerReflectionInfo"]?.call(client);
    stream.write({ list_services: "" });
    const [services] = await once(stream, "data");
    expect(services.list_services_response.service.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(["runtime.v1.RuntimeService", "runtime.v1.ImageService"]),
    );
    stream.write({ file_containing_symbol: "runtime.v1.RuntimeService" });
    const [files] = await once(stream, "data");
    expect(files.file_descriptor_response.file_descriptor_proto.length).toBeGreaterThan(0);
    stream.end();
    client.close();
  });
});

describe("close()", () => {
  test("lets a running call end, takes the socket away at once, and may be repeated", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: work, resolve: finish } = Promise.withResolvers<void>();
    await using agent = await startServer({
      sandboxes: {
        stopSandbox: () => {
          start();
          return work;
        },
      },
    });
    const call = ask((done) => agent.runtime.StopPodSandbox({ pod_sandbox_id: "a" }, done));
    await started;
    const closed = agent.server.close(30_000);
    await expect.poll(() => existsSync(agent.address)).toBe(false);
    finish();
    await expect(call).resolves.toEqual({});
    await closed;
    await agent.server.close(0);
  });

  test("ends calls that outlive the grace", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    await using agent = await startServer({
      sandboxes: {
        stopSandbox: () => {
          start();
          return new Promise(() => undefined);
        },
      },
    });
    const call = refusal(ask((done) => agent.runtime.StopPodSandbox({ pod_sandbox_id: "a" }, done)));
    await started;
    await agent.server.close(10);
    expect([status.UNAVAILABLE, status.CANCELLED]).toContain((await call).code);
  });

  test("leaves a socket that another agent has put in its place", async () => {
    await using agent = await startServer();
    await rm(agent.address);
    const other = createSocketServer().listen(agent.address);
    await once(other, "listening");
    await agent.server.close(0);
    expect(existsSync(agent.address)).toBe(true);
    other.close();
  });
});
