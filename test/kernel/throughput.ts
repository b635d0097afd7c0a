import { spawn } from "node:child_process";
import { once } from "node:events";

const sink = `
import socket, sys, time
six = ':' in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(1); print('ready', flush=True)
c, a = s.accept(); skip = float(sys.argv[3]); n = 0; t = time.monotonic(); begin = None
while True:
  d = c.recv(1 << 20)
  now = time.monotonic()
  if not d: break
  if begin is None and now - t > skip: begin = now
  elif begin is not None: n += len(d); last = now
print(n * 8 / 1e6 / (last - begin), flush=True)
`;

const source = `
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
t = time.monotonic(); d = b'x' * 65536
while time.monotonic() - t < float(sys.argv[3]): s.sendall(d)
s.close()
`;

export interface Path {
  readonly from: string;
  readonly to: string;
  /** Address the receiver listens at, and the one the sender connects to, where that is another. */
  readonly listen: string;
  readonly connect?: string;
  readonly port: number;
}

/** Sends as fast as it goes for some seconds between named namespaces. @returns Mbit/s of payload, once bursts are over */
export async function throughput({ from, to, listen, connect = listen, port }: Path, seconds = 4): Promise<number> {
  const run = (netns: string, script: string, ...args: readonly string[]) =>
    spawn("ip", ["netns", "exec", netns, "python3", "-c", script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const receiver = run(to, sink, listen, String(port), "1");
  try {
    let output = "";
    receiver.stdout.on("data", (chunk) => {
      output += String(chunk);
    });
    await once(receiver.stdout, "data");
    const sender = run(from, source, connect, String(port), String(seconds));
    await Promise.all([once(sender, "exit"), once(receiver.stdout, "end")]);
    return Number(output.split("\n")[1]);
  } finally {
    receiver.kill("SIGKILL");
  }
}
