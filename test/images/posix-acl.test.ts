import { describe, expect, test } from "vitest";
import { aclUnderMode } from "../../src/images/posix-acl.ts";

/** A list of entries "tag permissions id" in hex, as getfattr(1) shows it. */
const list = (...entries: readonly string[]) => Buffer.from(`02000000${entries.join("").replaceAll(" ", "")}`, "hex");
const none = "ffffffff";

describe("aclUnderMode()", () => {
  test("gives owner, mask and others what the mode says, and leaves the named", () => {
    const before = list(
      `0100 0600 ${none}`,
      "0200 0700 e8030000",
      `0400 0400 ${none}`,
      "0800 0100 05000000",
      `1000 0700 ${none}`,
      `2000 0400 ${none}`,
    );
    const after = list(
      `0100 0700 ${none}`,
      "0200 0700 e8030000",
      `0400 0400 ${none}`,
      "0800 0100 05000000",
      `1000 0500 ${none}`,
      `2000 0100 ${none}`,
    );
    expect(aclUnderMode(before, 0o4751)).toEqual(after);
  });

  test("keeps nothing of a list that a mode says as well", () => {
    const plain = list(`0100 0600 ${none}`, `0400 0400 ${none}`, `2000 0400 ${none}`);
    expect(aclUnderMode(plain, 0o644)).toBeUndefined();
  });
});
