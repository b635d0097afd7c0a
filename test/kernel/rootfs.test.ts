import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeBundle, writeBundle } from "../../src/runtime/bundle.ts";
import { mountRootfs, mountShm, unmountRootfs, unmountShm } from "../../src/runtime/rootfs.ts";
import { mount } from "../../src/system/mount.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import { cannotRun } from "../support/requirements.ts";

describe.skipIf(cannotRun())("rootfs", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync("/var/tmp/podling-rootfs-");
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Layers that all hold "same" and one file of their own, with paths as long as those of real roots. */
  function layers(count: number, below = "a-rather-long-root-directory,with=odd:characters\\in/snapshots"): string[] {
    return Array.from({ length: count }, (_, index) => {
      const layer = join(directory, below, String(index), "fs");
      mkdirSync(layer, { recursive: true });
      writeFileSync(join(layer, "same"), String(index));
      writeFileSync(join(layer, `own-${index}`), "");
      return layer;
    });
  }

  function plan(id: string, lower: readonly string[]) {
    const disk = join(directory, "disks", id);
    return { lower, upper: join(disk, "upper"), work: join(disk, "work"), target: join(directory, id, "rootfs") };
  }

  test("mountRootfs() stacks 128 layers and ours, the first on top", async () => {
    const lower = layers(129);
    const rootfs = plan("many", lower);
    mountRootfs(rootfs);
    mountRootfs(rootfs); // a retry finds it mounted
    expect(readFileSync(join(rootfs.target, "same"), "utf8")).toBe("0");
    expect(lower.every((_, index) => existsSync(join(rootfs.target, `own-${index}`)))).toBe(true);
    writeFileSync(join(rootfs.target, "new"), "written");
    expect(readFileSync(join(rootfs.upper, "new"), "utf8")).toBe("written");
    expect(listMounts().filter(({ target }) => target === rootfs.target).length).toBe(1);

    await unmountRootfs(rootfs.target);
    await unmountRootfs(rootfs.target);
    expect(existsSync(join(rootfs.target, "same"))).toBe(false);
    // Its own changes are there again after another mount: the mark of the first, volatile one doesn't hinder it.
    mountRootfs(rootfs);
    expect(readFileSync(join(rootfs.target, "new"), "utf8")).toBe("written");
    await unmountRootfs(rootfs.target);
  });

  test("unmountRootfs() succeeds where nothing ever was, under files in use, and through mounts on each other", async () => {
    await unmountRootfs(join(directory, "never/rootfs"));
    const rootfs = plan("busy", layers(2));
    mountRootfs(rootfs);
    mount("tmpfs", rootfs.target, "tmpfs");
    await unmountRootfs(rootfs.target);
    expect(listMounts().some(({ target }) => target.startsWith(dirname(rootfs.target)))).toBe(false);
  });

  test("mountRootfs() names the target when a layer is missing", () => {
    const rootfs = plan("broken", [join(directory, "no-such-layer"), directory]);
    expect(() => mountRootfs(rootfs)).toThrow(`Can't mount the root file system on "${rootfs.target}"`);
    expect(listMounts().some(({ target }) => target === rootfs.target)).toBe(false);
  });

  test("removeBundle() takes the mount and the secrets away, again and again", async () => {
    const rootfs = plan("bundle", layers(2));
    const bundle = dirname(rootfs.target);
    mountRootfs(rootfs);
    mountShm(join(bundle, "shm"));
    mount("tmpfs", rootfs.target, "tmpfs");
    mountShm(join(rootfs.target, "inner"));
    writeBundle(bundle, { process: { env: ["TOKEN=secret"] } });
    expect(statSync(bundle).mode & 0o777).toBe(0o700);
    expect(statSync(join(bundle, "config.json")).mode & 0o777).toBe(0o600);
    await removeBundle(bundle);
    await removeBundle(bundle);
    expect(existsSync(bundle)).toBe(false);
    expect(listMounts().some(({ target }) => target.startsWith(bundle))).toBe(false);
    expect(existsSync(join(rootfs.lower[0] ?? "", "same"))).toBe(true);
  });

  test("mountRootfs() gives a root that all users get through, whatever the umask", async () => {
    const rootfs = plan("umask", layers(2));
    const mask = process.umask(0o077);
    mountRootfs(rootfs);
    process.umask(mask);
    expect(statSync(rootfs.target).mode & 0o777).toBe(0o755);
    await unmountRootfs(rootfs.target);
  });

  test("mountShm() gives 64 MiB for everybody and nothing to run from", async () => {
    const shm = join(directory, "shm");
    mountShm(shm);
    mountShm(shm);
    const found = listMounts().filter(({ target }) => target === shm);
    expect(found.map(({ type }) => type)).toEqual(["tmpfs"]);
    expect(statSync(shm).mode & 0o7777).toBe(0o1777);
    const line = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .find((text) => text.includes(` ${shm} `));
    expect(line).toMatch(/nosuid,nodev,noexec.*size=65536k/);
    await unmountShm(shm);
    await unmountShm(shm);
  });
});
