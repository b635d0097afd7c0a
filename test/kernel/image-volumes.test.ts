import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { prepareVolumes } from "../../src/runtime/image-volumes.ts";
import { cannotRun } from "../support/requirements.ts";

describe.skipIf(cannotRun())("prepareVolumes()", () => {
  let directory = "";
  let rootfs = "";
  beforeEach(() => {
    directory = mkdtempSync("/var/tmp/podling-volumes-");
    rootfs = join(directory, "rootfs");
    mkdirSync(rootfs);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const prepare = (volumes: readonly string[], containerPaths: readonly string[] = []) =>
    prepareVolumes({
      rootfs,
      volumes,
      mounts: containerPaths.map((containerPath) => ({
        hostPath: "/x",
        containerPath,
        readonly: false,
        propagation: "private",
      })),
      directory: join(directory, "volumes"),
    });

  test("copies what the image has there, owners, modes and links included, and can be repeated", async () => {
    mkdirSync(join(rootfs, "data/sub"), { recursive: true });
    writeFileSync(join(rootfs, "data/sub/file"), "from the image", { mode: 0o640 });
    symlinkSync("/etc/shadow", join(rootfs, "data/link"));
    chownSync(join(rootfs, "data/sub/file"), 7, 8);
    chownSync(join(rootfs, "data"), 9, 10);
    for (let tries = 0; tries < 2; tries++) {
      const [volume] = await prepare(["/data/"]);
      expect(volume).toEqual({ source: join(directory, "volumes/0"), destination: "/data" });
      const copy = join(directory, "volumes/0");
      expect(readFileSync(join(copy, "sub/file"), "utf8")).toBe("from the image");
      const { uid, gid, mode } = statSync(join(copy, "sub/file"));
      expect([uid, gid, mode & 0o777]).toEqual([7, 8, 0o640]);
      expect([statSync(copy).uid, statSync(copy).gid]).toEqual([9, 10]);
      writeFileSync(join(copy, "half"), "of an earlier try");
    }
    expect(existsSync(join(rootfs, "data/half"))).toBe(false);
  });

  test("makes an empty one where the image has nothing, and none that a mount covers", async () => {
    expect((await prepare(["/b", "/a", "/c"], ["/b"])).map(({ destination }) => destination)).toEqual(["/a", "/c"]);
    expect(statSync(join(directory, "volumes/1")).mode & 0o777).toBe(0o755);
  });

  test("copies nothing of the host, whatever the image's links say", async () => {
    writeFileSync(join(directory, "secret"), "of the host");
    symlinkSync(directory, join(rootfs, "absolute"));
    symlinkSync("../../../../../../../..", join(rootfs, "up"));
    const volumes = await prepare(["/absolute", `/up${directory}`, `/../..${directory}`]);
    expect(volumes.length).toBe(3);
    for (const { source } of volumes) expect(existsSync(join(source, "secret"))).toBe(false);
  });

  test("refuses more volumes than any honest image has", async () => {
    const many = Array.from({ length: 101 }, (_, index) => `/v${index}`);
    await expect(prepare(many)).rejects.toThrow("The image has 101 volumes: at most 100 can be made");
  });
});
