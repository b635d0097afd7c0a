import { status as Code } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { AgentError, type ErrorCode, SystemError } from "../../src/common/errors.ts";
import { endReason } from "../../src/rpc/call-context.ts";
import { codeName, toStatus } from "../../src/rpc/status.ts";

const codes: readonly (readonly [ErrorCode, Code])[] = [
  ["InvalidArgument", Code.INVALID_ARGUMENT],
  ["NotFound", Code.NOT_FOUND],
  ["AlreadyExists", Code.ALREADY_EXISTS],
  ["FailedPrecondition", Code.FAILED_PRECONDITION],
  ["ResourceExhausted", Code.RESOURCE_EXHAUSTED],
  ["NoAddressLeft", Code.RESOURCE_EXHAUSTED],
  ["DeadlineExceeded", Code.DEADLINE_EXCEEDED],
  ["Cancelled", Code.CANCELLED],
  ["Unavailable", Code.UNAVAILABLE],
  ["Unauthenticated", Code.UNAUTHENTICATED],
  ["PermissionDenied", Code.PERMISSION_DENIED],
  ["DataLoss", Code.DATA_LOSS],
  ["Unimplemented", Code.UNIMPLEMENTED],
  ["Internal", Code.INTERNAL],
  ["SystemFailure", Code.INTERNAL],
];

describe("toStatus()", () => {
  test.each(codes)("%s becomes code %i with the message as it is", (code, expected) => {
    expect(toStatus(new AgentError(code, "Do it"))).toEqual({ code: expected, details: "Do it" });
  });

  test("puts the word that kubelet looks for before a registry's failure, once", () => {
    const details = "RegistryUnavailable: no route";
    const expected = { code: Code.UNAVAILABLE, details };
    expect(toStatus(new AgentError("RegistryUnavailable", "no route"))).toEqual(expected);
    expect(toStatus(new AgentError("RegistryUnavailable", details))).toEqual(expected);
  });

  test("appends what the causes say", () => {
    const cause = new SystemError('exec: "nope": executable file not found in $PATH');
    expect(toStatus(new AgentError("FailedPrecondition", "Start container", { cause })).details).toBe(
      'Start container: exec: "nope": executable file not found in $PATH',
    );
  });

  test("answers with the body's error when a clean-up failed after it", () => {
    const body = new AgentError("NotFound", "no image");
    const error = new SuppressedError(new Error("umount: busy"), new SuppressedError(new Error("rm"), body));
    expect(toStatus(error)).toEqual({ code: Code.NOT_FOUND, details: "no image" });
  });

  test.each([
    ["an Error", new TypeError("x is undefined"), "Internal error: x is undefined"],
    ["a SystemError", new SystemError("mount: EBUSY", { errno: "EBUSY" }), "Internal error: mount: EBUSY"],
    ["a string", "boom", "Internal error: boom"],
    ["nothing", undefined, "Internal error: "],
  ])("makes %s Internal without a stack", (_what, error, details) => {
    expect(toStatus(error)).toEqual({ code: Code.INTERNAL, details });
  });

  test("keeps the beginning and the end of a message that is too long for a trailer", () => {
    const { details } = toStatus(new AgentError("Internal", `Start container ${"x".repeat(9000)} exit status 1`));
    expect(details.length).toBeLessThanOrEqual(4096);
    expect(details).toMatch(/^Start container x.* \[…\] x+ exit status 1$/);
  });
});

describe("codeName()", () => {
  test("is the name of the specification", () => {
    expect(codeName(Code.NOT_FOUND)).toBe("NOT_FOUND");
  });
});

describe("endReason()", () => {
  test.each([
    ["no deadline", Number.POSITIVE_INFINITY, "Cancelled"],
    ["a deadline far ahead", 20_000, "Cancelled"],
    ["a deadline passed", 9_999, "DeadlineExceeded"],
    ["a deadline that the client's clock saw first", 10_010, "DeadlineExceeded"],
  ])("with %s", (_what, deadlineMs, code) => {
    expect(endReason(deadlineMs, 10_000).code).toBe(code);
  });
});
