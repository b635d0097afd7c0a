import { expect, test } from "vitest";
import type { AttachmentRecord } from "../../../src/network/cni/attachment-record.ts";
import { planAttachmentRecovery } from "../../../src/network/cni/plan-attachment-recovery.ts";

test.each([
  ["attached", true, true, "check"],
  ["attached", true, false, "release"],
  ["attached", false, true, "release"],
  ["attached", false, false, "release"],
  ["attaching", true, true, "leave"],
  ["attaching", true, false, "release"],
  ["attaching", false, true, "release"],
  ["attaching", false, false, "release"],
] as const)("%s, pod recorded: %j, namespace pinned: %j: %s", (state, live, pinned, fate) => {
  const attached = { result: {}, podInterface: {} } as AttachmentRecord["attached"];
  const record = {
    sandboxId: "s",
    target: { netnsPath: "/n" },
    ...(state === "attached" && { attached }),
  } as AttachmentRecord;
  const plan = planAttachmentRecovery([record], {
    live: new Set(live ? ["s"] : ["other"]),
    pinned: new Set(pinned ? ["/n"] : []),
  });
  expect(plan).toEqual({ release: [], check: [], leave: [], [fate]: [record] });
});
