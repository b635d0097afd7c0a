import type { Signal, Signal__Output } from "../generated/runtime/v1/Signal.ts";
import { Signal as contractSignals } from "../generated/runtime/v1/Signal.ts";
import { invalid } from "./field-error.ts";

/** Linux numbers of the names in the contract, those with several names included; real-time signals are computed. */
const numbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};
/** As glibc has them; the kernel's first two are taken by its threads. */
const rtMin = 34;
const rtMax = 64;

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

function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const realTime = /^SIGRT(MIN|MAX)([+-]\d+)?$/.exec(name);
  if (realTime !== null) return (realTime[1] === "MIN" ? rtMin : rtMax) + Number(realTime[2] ?? 0);
  return numbers[name];
}
