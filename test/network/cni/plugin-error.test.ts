import { describe, expect, test } from "vitest";
import { pluginError } from "../../../src/network/cni/plugin-error.ts";

const failed = (output: string, errors = "") =>
  pluginError({ type: "bridge", command: "ADD", end: "1", output, errors });
const said = (code: number, msg: string, details?: string) =>
  JSON.stringify({ cniVersion: "1.0.0", code, msg, details });

describe("pluginError()", () => {
  test.each([
    [1, "FailedPrecondition"],
    [2, "FailedPrecondition"],
    [3, "NotFound"],
    [4, "Internal"],
    [5, "Unavailable"],
    [7, "FailedPrecondition"],
    [11, "Unavailable"],
    [50, "Unavailable"],
    [51, "Unavailable"],
    [999, "Unavailable"],
  ])("gives code %i the agent's code %s", (code, expected) => {
    const error = failed(said(code, "no more", "at all"));
    expect([error.code, error.pluginCode]).toEqual([expected, code]);
    expect(error.message).toMatch(
      new RegExp(`^CNI plugin "bridge" failed to ADD \\(code ${code}.*\\): no more: at all$`),
    );
  });

  test.each([
    ["", "", /with 1 and without a reason: it printed nothing/],
    ["what", "panic:\n\tat", /without a reason: what panic: at$/],
    ["{}", "", /without a reason: \{\}/],
    [said(999, "a\u001b[31m\r\nb"), "", /: a \[31m b$/],
  ])("puts %j and %j into words", (output, errors, message) => {
    expect(failed(output, errors).message).toMatch(message);
  });

  test("never takes more than so many words", () => {
    expect(failed(said(999, "x".repeat(1e6))).message.length).toBeLessThan(2100);
    expect(failed("y".repeat(1e6)).message.length).toBeLessThan(2100);
  });
});
