import { describe, expect, test } from "vitest";
import { Signal } from "../../src/generated/runtime/v1/Signal.ts";
import { decodeSignal, encodeSignal } from "../../src/rpc/signals.ts";

/** Second names of one number; encoding gives the first. */
const aliases: Readonly<Record<string, string>> = {
  SIGNAL_SIGCLD: "SIGNAL_SIGCHLD",
  SIGNAL_SIGIOT: "SIGNAL_SIGABRT",
  SIGNAL_SIGPOLL: "SIGNAL_SIGIO",
};

describe("signals", () => {
  test.each(Object.keys(Signal) as (keyof typeof Signal)[])("%s survives the way through a record", (signal) => {
    expect(encodeSignal(decodeSignal("stop_signal", signal))).toBe(aliases[signal] ?? signal);
  });

  test.each([
    ["SIGTERM", "SIGNAL_SIGTERM"],
    ["TERM", "SIGNAL_SIGTERM"],
    ["sigterm", "SIGNAL_SIGTERM"],
    ["15", "SIGNAL_SIGTERM"],
    ["RTMIN+3", "SIGNAL_SIGRTMINPLUS3"],
    ["SIGRTMAX-14", "SIGNAL_SIGRTMAXMINUS14"],
    ["37", "SIGNAL_SIGRTMINPLUS3"],
    ["64", "SIGNAL_SIGRTMAX"],
    ["", "SIGNAL_RUNTIME_DEFAULT"],
    ["NOPE", "SIGNAL_RUNTIME_DEFAULT"],
    ["99", "SIGNAL_RUNTIME_DEFAULT"],
  ])("encodeSignal(%j) is %s", (text, expected) => {
    expect(encodeSignal(text)).toBe(expected);
  });

  test("decodeSignal() names real-time signals as kill(1) does", () => {
    expect(decodeSignal("x", "SIGNAL_SIGRTMAXMINUS1")).toBe("SIGRTMAX-1");
  });
});
