import type { AttachRequest__Output } from "../generated/runtime/v1/AttachRequest.ts";
import type { PortForwardRequest__Output } from "../generated/runtime/v1/PortForwardRequest.ts";
import { checkInteger } from "./field-checks.ts";
import { invalid } from "./field-error.ts";
import type { WantedStreams } from "./streaming/command-channels.ts";

type StreamFlags = Pick<AttachRequest__Output, "tty" | "stdin" | "stdout" | "stderr">;

const mostPorts = 100;

/** @throws AgentError InvalidArgument for streams that can't be had together, or none at all */
export function decodeWantedStreams({ tty, stdin, stdout, stderr }: StreamFlags): WantedStreams {
  if (tty && stderr) throw invalid("stderr", stderr, "must be false with tty: a terminal has one output, stdout");
  if (!stdin && !stdout && !stderr) {
    throw invalid("stdin, stdout, stderr", [stdin, stdout, stderr], "at least one of them must be true");
  }
  return { tty, stdin, stdout, stderr };
}

/** @throws AgentError InvalidArgument */
export function decodePorts({ port }: PortForwardRequest__Output): readonly number[] {
  if (port.length > mostPorts) throw invalid("port", `${port.length} ports`, `must be at most ${mostPorts}`);
  return port.map((each, index) => checkInteger(`port[${index}]`, each, 1, 65_535));
}
