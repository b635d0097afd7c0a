import { describe, expect, test } from "vitest";
import { AgentError } from "../../src/common/errors.ts";
import { parseSandboxId } from "../../src/common/ids.ts";
import { chooseHandler, joinExistingSandbox, planSandbox, podHostname } from "../../src/sandbox/plan-sandbox.ts";
import { sandboxRecord, sandboxSpec } from "./records.ts";

const handlers = { handlers: ["runc", "crun"], defaultHandler: "runc", userNamespaces: new Set(["crun"]) };

describe("planSandbox()", () => {
  test("makes the whole intent record", () => {
    const id = parseSandboxId("b".repeat(64));
    expect(planSandbox(sandboxSpec, { id, createdAtMs: 5, bootId: "boot-1", ...handlers })).toEqual({
      id,
      state: "creating",
      spec: sandboxSpec,
      handler: "runc",
      createdAtMs: 5,
      bootId: "boot-1",
      network: undefined,
      message: "",
    });
  });
});

describe("planSandbox() on a user namespace", () => {
  const range = { containerId: 0, hostId: 100_000, length: 65_536 };
  const user = { uids: range, gids: range };
  const plan = (runtimeHandler: string) =>
    planSandbox(
      { ...sandboxSpec, runtimeHandler, namespaces: { ...sandboxSpec.namespaces, user } },
      { id: parseSandboxId("b".repeat(64)), createdAtMs: 5, bootId: "boot-1", ...handlers },
    );

  test("takes it where the handler can", () => expect(plan("crun").spec.namespaces.user).toEqual(user));

  test("refuses it where the handler can't", () => {
    expect(() => plan("")).toThrow(expect.objectContaining({ code: "FailedPrecondition" }));
    expect(() => plan("")).toThrow('runtime handler "runc"');
  });
});

describe("chooseHandler()", () => {
  test.each([
    ["", "runc"],
    ["crun", "crun"],
  ])("%j means %s", (asked, expected) => expect(chooseHandler(asked, handlers)).toBe(expected));

  test("refuses an unknown name and tells the known ones", () => {
    expect(() => chooseHandler("kata", handlers)).toThrow(
      new AgentError(
        "InvalidArgument",
        'Invalid runtime_handler "kata": no such handler is configured, must be one of runc, crun',
      ),
    );
  });
});

describe("joinExistingSandbox()", () => {
  const existing = sandboxRecord();

  test("finds nothing when the name is free", () => {
    const spec = { ...sandboxSpec, metadata: { ...sandboxSpec.metadata, attempt: 1 } };
    expect(joinExistingSandbox(spec, [existing])).toBeUndefined();
  });

  test("gives a retry the sandbox it made before", () => {
    expect(joinExistingSandbox(structuredClone(sandboxSpec), [existing])).toBe(existing);
  });

  test.each([
    ["another request", existing, { ...sandboxSpec, hostname: "other" }],
    ["a stopped sandbox", sandboxRecord({ state: "notReady" }), sandboxSpec],
  ])("refuses the name of %s", (_, record, spec) => {
    expect(() => joinExistingSandbox(spec, [record])).toThrow(/is taken by .*remove that one/);
  });
});

describe("podHostname()", () => {
  test("is what was asked for, else the short id", () => {
    expect(podHostname(sandboxRecord())).toBe("web");
    expect(podHostname(sandboxRecord({ spec: { ...sandboxSpec, hostname: "" } }))).toBe("a".repeat(13));
  });
});
