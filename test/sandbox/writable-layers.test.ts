import { describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { WritableLayers } from "../../src/sandbox/writable-layers.ts";

const log = createLog("silent");
const layer = (containerId: string) => ({ containerId, directory: `/layers/${containerId}` });

describe("WritableLayers", () => {
  test("waits for the first figures, and not for others while they are fresh", async () => {
    const walks: string[] = [];
    const layers = new WritableLayers(async (directory) => {
      walks.push(directory);
      return { usedBytes: walks.length, inodes: 2 };
    }, log);
    await layers.refresh([layer("a"), layer("b")], 60_000);
    expect([layers.get("a"), layers.get("b")]).toMatchObject([{ usedBytes: 1 }, { usedBytes: 2 }]);
    await layers.refresh([layer("a"), layer("b")], 60_000);
    expect(walks).toEqual(["/layers/a", "/layers/b"]);
  });

  test("has patience only so long with a walk, walks one layer at a time, and keeps what came of it", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let [now, most] = [0, 0];
    const layers = new WritableLayers(async () => {
      most = Math.max(most, ++now);
      await promise;
      now--;
      return { usedBytes: 9, inodes: 1 };
    }, log);
    await layers.refresh([layer("a"), layer("b")], 1);
    expect(layers.get("a")).toBeUndefined();
    resolve();
    await layers.refresh([layer("a"), layer("b"), layer("c")], 60_000);
    expect([layers.get("a"), layers.get("c"), most]).toMatchObject([{ usedBytes: 9 }, { usedBytes: 9 }, 1]);
  });

  test("shows nothing of a layer that is gone or can't be walked, and asks nobody to wait for it again", async () => {
    const layers = new WritableLayers(async (directory) => {
      if (directory.endsWith("bad")) throw new Error("EIO");
      return undefined;
    }, log);
    await layers.refresh([layer("bad"), layer("gone")], 60_000);
    await layers.refresh([layer("bad"), layer("gone")], 60_000);
    expect([layers.get("bad"), layers.get("gone")]).toEqual([undefined, undefined]);
    layers.retain(new Set());
    expect(layers.get("bad")).toBeUndefined();
  });
});
