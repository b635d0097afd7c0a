import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { decodeArgv } from "./decode-container.ts";
import { decodeTimeout } from "./field-checks.ts";
import { missing } from "./field-error.ts";
import type { Rpcs } from "./serve.ts";

export interface ExecRpcDeps {
  readonly sandboxes: Pick<SandboxService, "execSync">;
}

/** Most of one stream's output in an answer: both together, and the exit code, have to fit into one message. */
const maxOutputBytes = 8 * 1024 * 1024 - 1024;

/** Running commands in containers. Exec, Attach and PortForward come with the streaming server. */
export function execRpcs({ sandboxes }: ExecRpcDeps) {
  return {
    ExecSync: async ({ container_id, cmd, timeout }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      if (cmd.length === 0) throw missing("cmd");
      const argv = decodeArgv("cmd", cmd);
      const output = await sandboxes.execSync(container_id, argv, decodeTimeout("timeout", timeout), signal);
      const [stdout, stderr] = fitOutput(output.stdout, output.stderr);
      return { stdout, stderr, exit_code: output.exitCode };
    },
  } satisfies Rpcs<RuntimeServiceHandlers, "ExecSync">;
}

/** Each stream may use what the other leaves free. */
function fitOutput(stdout: Uint8Array, stderr: Uint8Array): readonly [Buffer, Buffer] {
  const free = (other: Uint8Array) => 2 * maxOutputBytes - Math.min(other.length, maxOutputBytes);
  const cut = (bytes: Uint8Array, length: number) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, length));
  return [cut(stdout, free(stderr)), cut(stderr, free(stdout))];
}
