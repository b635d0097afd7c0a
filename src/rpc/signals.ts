import { signalNumber } from "../common/signal-number.ts";
import type { Signal, Signal__Output } from "../generated/runtime/v1/Signal.ts";
import { Signal as contractSignals } from "../generated/runtime/v1/Signal.ts";
import { invalid } from "./field-error.ts";

const names = Object.keys(contractSignals) as readonly Signal__Output[];
const byNumber: ReadonlyMap<number, Signal__Output> = new Map(
  // The first of two names for one number is the usual one, so later ones must not overwrite it.
  names.map((name): [number, Signal__Output] => [signalNumber(nameOf(name)) ?? 0, name]).reverse(),
);

/** The contract's name as kill(1) has it: "SIGNAL_SIGRTMINPLUS3" is "SIGRTMIN+3"; not given is "". */
export function decodeSignal(field: string, signal: Signal__Output): string {
  if (signal === "SIGNAL_RUNTIME_DEFAULT") return "";
  if (!names.includes(signal)) throw invalid(field, signal, "must be a signal of the contract");
  return nameOf(signal);
}

/** The contract's name of a signal as images write it: "SIGTERM", "TERM", "15", "RTMIN+3"; unknown: not given. */
export function encodeSignal(text: string): Signal {
  return byNumber.get(signalNumber(text) ?? 0) ?? "SIGNAL_RUNTIME_DEFAULT";
}

function nameOf(signal: Signal__Output): string {
  return signal.slice("SIGNAL_".length).replace("PLUS", "+").replace("MINUS", "-");
}
