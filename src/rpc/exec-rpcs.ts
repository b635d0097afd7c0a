import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { decodeArgv } from "./decode-container.ts";
import { decodePorts, decodeWantedStreams } from "./decode-streaming.ts";
import { decodeTimeout } from "./field-checks.ts";
import { missing } from "./field-error.ts";
import type { Rpcs } from "./serve.ts";
import type { StreamingServer } from "./streaming/streaming-server.ts";

export interface ExecRpcDeps {
  readonly sandboxes: Pick<SandboxService, "execSync" | "runningContainer" | "readySandbox">;
  readonly streaming: Pick<StreamingServer, "url">;
}

/** Most of one stream's output in an answer: both together, and the exit code, have to fit into one message. */
const maxOutputBytes = 8 * 1024 * 1024 - 1024;

/** Running commands in containers, and the URLs under which clients get at their streams. */
export function execRpcs({ sandboxes, streaming }: ExecRpcDeps) {
  return {
    Exec: ({ container_id, cmd, ...flags }) => {
      if (container_id === "") throw missing("container_id");
      if (cmd.length === 0) throw missing("cmd");
      const argv = decodeArgv("cmd", cmd);
      const wanted = decodeWantedStreams(flags);
      const { id: containerId } = sandboxes.runningContainer(container_id, "run a command in");
      return { url: streaming.url({ kind: "exec", containerId, argv, wanted }) };
    },
    Attach: ({ container_id, ...flags }) => {
      if (container_id === "") throw missing("container_id");
      const wanted = decodeWantedStreams(flags);
      const { id: containerId } = sandboxes.runningContainer(container_id, "attach to");
      return { url: streaming.url({ kind: "attach", containerId, wanted }) };
    },
    PortForward: (request) => {
      if (request.pod_sandbox_id === "") throw missing("pod_sandbox_id");
      const ports = decodePorts(request);
      const { id: sandboxId } = sandboxes.readySandbox(request.pod_sandbox_id);
      return { url: streaming.url({ kind: "portforward", sandboxId, ports }) };
    },
    ExecSync: async ({ container_id, cmd, timeout }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      if (cmd.length === 0) throw missing("cmd");
      const argv = decodeArgv("cmd", cmd);
      const output = await sandboxes.execSync(container_id, argv, decodeTimeout("timeout", timeout), signal);
      const [stdout, stderr] = fitOutput(output.stdout, output.stderr);
      return { stdout, stderr, exit_code: output.exitCode };
    },
  } satisfies Rpcs<RuntimeServiceHandlers, "Exec" | "Attach" | "PortForward" | "ExecSync">;
}

/** Each stream may use what the other leaves free. */
function fitOutput(stdout: Uint8Array, stderr: Uint8Array): readonly [Buffer, Buffer] {
  const free = (other: Uint8Array) => 2 * maxOutputBytes - Math.min(other.length, maxOutputBytes);
  const cut = (bytes: Uint8Array, length: number) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, length));
  return [cut(stdout, free(stderr)), cut(stderr, free(stdout))];
}
