import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { BackgroundCommand } from "../support/background-command.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { execOutput, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld, type World } from "../support/world.ts";

const transports = ["spdy", "websocket"] as const;
/** Servers in the pod: 8080 gives back what it gets, 8081 has files over IPv6, 8082 answers only to the input's end. */
const servers = [
  // Each "l" is one more connection that may wait to be accepted.
  `nc -${"l".repeat(30)} -p 8080 -e cat`,
  "httpd -f -p [::1]:8081 -h /etc",
  "nc -ll -p 8082 -e sh -c 'wc -c; sleep 2; echo late'",
];

async function runServers(world: World) {
  const running = await runContainer(world, ["sh", "-c", `${servers.map((server) => `${server} & `).join("")} wait`]);
  await eventually("the servers", async () => {
    const sockets = await execOutput(world, running.containerId, "netstat", "-ltn");
    return [8080, 8081, 8082].every((port) => sockets.includes(`:${port} `));
  });
  return running;
}

/** Connects, sends and ends its side. @returns everything that comes back until the other side ends */
async function exchange(port: number, input: Buffer, halfClose = true): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  if (halfClose) socket.end(input);
  else socket.write(input);
  await once(socket, "close");
  return Buffer.concat(chunks);
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc")).each(transports)(
  "crictl port-forward over %s",
  (transport) => {
    const world = useWorld();

    async function forward(podId: string, remotePort: number) {
      const port = await freePort();
      const command = world().crictl.command("port-forward", "-r", transport, podId, `${port}:${remotePort}`);
      const client = new BackgroundCommand(command);
      await client.shows(/Forwarding from/);
      return { port, client };
    }

    test("carries many connections at once, whole and both ways", async () => {
      const { podId } = await runServers(world());
      const { port, client } = await forward(podId, 8080);
      await using _client = client;
      const inputs = Array.from({ length: 12 }, (_, index) => randomBytes(1 + index * 100_000));
      const outputs = await Promise.all(inputs.map((input) => exchange(port, input)));
      const cut = outputs.flatMap((each, index) =>
        each.equals(inputs[index] ?? Buffer.alloc(0)) ? [] : [`${each.length} of ${inputs[index]?.length}`],
      );
      expect(cut, client.stderr).toEqual([]);
    });

    test("reaches a server that listens on IPv6 alone", async () => {
      const { podId } = await runServers(world());
      const { port, client } = await forward(podId, 8081);
      await using _client = client;
      const answer = String(await exchange(port, Buffer.from("GET /hostname HTTP/1.0\r\n\r\n")));
      expect(answer).toMatch(/^HTTP\/1\.[01] 200 OK/);
    });

    test("a client's end of input is passed on, and the answer may take its time", async () => {
      const { podId } = await runServers(world());
      const { port, client } = await forward(podId, 8082);
      await using _client = client;
      expect(String(await exchange(port, randomBytes(100_000)))).toBe("100000\nlate\n");
    });

    test("a refused connection ends, and later ones work", async () => {
      const { podId, containerId } = await runServers(world());
      const { port, client } = await forward(podId, 9999);
      await using _client = client;
      expect(await exchange(port, Buffer.from("x"), false)).toHaveLength(0);
      await eventually("the reason", () => /forwarding port 9999.*ECONNREFUSED/.test(client.stderr + client.stdout));
      await using _server = new BackgroundCommand(
        world().crictl.command("exec", containerId, "nc", "-ll", "-p", "9999", "-e", "cat"),
      );
      await eventually("the late server", async () => {
        if (client.stdout === "") return false;
        const next = await forward(podId, 9999).catch(() => undefined);
        if (next === undefined) return false;
        await using _next = next.client;
        return String(await exchange(next.port, Buffer.from("late"))) === "late";
      });
    });

    test("connections end with the pod, and with their client", async () => {
      const { podId } = await runServers(world());
      const { port, client } = await forward(podId, 8080);
      await using _client = client;
      const open = async () => {
        const socket: Socket = connect(port, "127.0.0.1");
        socket.on("error", () => undefined);
        socket.write("x");
        await once(socket, "data");
        return socket;
      };
      const socket = await open();
      const closed = once(socket, "close");
      await world().client.call("StopPodSandbox", { pod_sandbox_id: podId });
      socket.end();
      await closed;
    });

    test("a client that vanishes takes its connections along", async () => {
      const { podId, containerId } = await runServers(world());
      const { port, client } = await forward(podId, 8080);
      await using _client = client;
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write("x");
      await once(socket, "data");
      const established = async () =>
        (await execOutput(world(), containerId, "netstat", "-tn")).match(
          /127\.0\.0\.1:8080 +(?:::ffff:)?127\.0\.0\.1:\d+ +ESTABLISHED/g,
        )?.length ?? 0;
      expect(await established()).toBeGreaterThan(0);
      client.kill();
      await eventually("the connection's end", async () => (await established()) === 0);
      socket.destroy();
    });
  },
);
