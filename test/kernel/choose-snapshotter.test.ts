import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { chooseSnapshotter } from "../../src/images/choose-snapshotter.ts";
import { mount, unmount } from "../../src/system/mount.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import { cannotRun } from "../support/requirements.ts";

describe.skipIf(cannotRun())("chooseSnapshotter()", () => {
  let root = "";
  beforeEach(() => {
    mkdirSync("/var/tmp/podling-test", { recursive: true });
    root = mkdtempSync("/var/tmp/podling-test/choose-");
  });
  afterEach(() => {
    expect(listMounts().filter(({ target }) => target.startsWith(root))).toEqual([]);
    removeTreeNow(root);
  });
  const log = createLog("silent");
  const choose = (wanted: "auto" | "overlay" | "erofs") => chooseSnapshotter(wanted, root, log);
  const left = () => readdirSync(join(root, "ingest"));

  test.each(["erofs", "auto"] as const)(
    "with %s takes EROFS where it works, and leaves nothing of the trial",
    (wanted) => {
      expect(choose(wanted)).toBe("erofs");
      expect(left()).toEqual([]);
    },
  );

  test("clears what an agent that was killed in the trial has left", () => {
    const script = `import("${import.meta.dirname}/../../src/images/choose-snapshotter.ts").then((m) => m.chooseSnapshotter("erofs", "${root}", undefined))`;
    const env = { ...process.env, PODLING_FAILPOINT: "recover.erofs-probed" };
    expect(spawnSync(process.execPath, ["-e", script], { env }).signal).toBe("SIGKILL");
    expect(left()).toEqual(["erofs-probe"]);
    expect(choose("erofs")).toBe("erofs");
    expect(left()).toEqual([]);
  });

  test("refuses EROFS on a file system that it can't be mounted from", async () => {
    mount("tmpfs", root, "tmpfs");
    try {
      expect(() => choose("erofs")).toThrow(
        expect.objectContaining({
          code: "FailedPrecondition",
          message: expect.stringMatching(/^images\.snapshotter "erofs" .*Linux 6\.12.*must be "overlay" or "auto"$/),
        }),
      );
      expect(left()).toEqual([]);
      expect(choose("overlay")).toBe("overlay");
      const said: string[] = [];
      const told = { ...log, info: (_fields: object, message: string) => void said.push(message) };
      expect(chooseSnapshotter("auto", root, told)).toBe("overlay");
      expect(said).toEqual(["EROFS can't be mounted from files here: layers are kept as directories"]);
    } finally {
      await unmount(root);
    }
  });
});
