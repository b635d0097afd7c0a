import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureInitLayer } from "../../src/images/init-layer.ts";
import { snapshotForms } from "../../src/images/snapshot-form.ts";
import { mountRootfs, unmountRootfs } from "../../src/runtime/rootfs.ts";
import { mount, unmount } from "../../src/system/mount.ts";
import { digestOf, LayerFixture } from "../images/layer-fixture.ts";
import { listTree } from "../images/tree-listing.ts";
import { cannotRun } from "../support/requirements.ts";
import { writeTar } from "../support/tar-writer.ts";

const layer = (name: string) => writeTar([{ name, body: name }]);

describe.skipIf(cannotRun()).each(snapshotForms)("SnapshotStore, form %s,", (form) => {
  test("records snapshots at sync, not before, and shares them by chain", async () => {
    await using fixture = await LayerFixture.start({ form });
    const { snapshots } = fixture;
    const base = fixture.job(layer("base"));
    await snapshots.commit(await fixture.stage(base), base);
    expect(snapshots.has(base.chainId)).toBe(true);
    expect(fixture.openStore().has(base.chainId)).toBe(false);
    await snapshots.sync();
    expect(fixture.openStore().list()).toEqual(snapshots.list());

    const directories = snapshots.lowerDirectories(base.chainId);
    await snapshots.commit(await fixture.stage(base), base);
    expect(snapshots.lowerDirectories(base.chainId)).toEqual(directories);
    expect(fixture.leftovers()).toEqual([]);
    expect(snapshots.usage()).toEqual(form === "overlay" ? { bytes: 4, inodes: 1 } : onDisk(fixture.directory));
  });

  test("gives a chain's directories top first", async () => {
    await using fixture = await LayerFixture.start({ form });
    const top = await fixture.apply(["one", "two", "three"].map(layer));
    const names = fixture.snapshots.lowerDirectories(top).map((path) => readdirSync(path)[0]);
    expect(names).toEqual(["three", "two", "one"]);
    expect(() => fixture.snapshots.lowerDirectories(digestOf(Buffer.from("none")))).toThrow("No snapshot of chain");
  });

  test("removes a snapshot only when nothing stands on it, and gives its number to no other", async () => {
    await using fixture = await LayerFixture.start({ form });
    const { snapshots } = fixture;
    const base = fixture.job(layer("base"));
    const top = await fixture.apply(["base", "top"].map(layer), "gzip");
    await expect(snapshots.remove(base.chainId)).rejects.toMatchObject({ code: "FailedPrecondition" });
    await snapshots.remove(top);
    await snapshots.remove(base.chainId);
    await snapshots.remove(base.chainId);
    expect(readdirSync(join(fixture.directory, "snapshots"))).toEqual([]);
    expect(fixture.openStore().list()).toEqual([]);
    expect(snapshots.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("refuses a layer whose parent is not here, and keeps nothing of it", async () => {
    await using fixture = await LayerFixture.start({ form });
    const orphan = fixture.job(layer("x"), digestOf(Buffer.from("no parent")));
    const outcome = fixture.snapshots.commit(await fixture.stage(orphan), orphan);
    await expect(outcome).rejects.toMatchObject({ code: "FailedPrecondition" });
    expect(fixture.leftovers()).toEqual([]);
  });

  test("recover() forgets snapshots that lost their directory, with all that stood on them", async () => {
    await using fixture = await LayerFixture.start({ form });
    const kept = await fixture.apply([layer("kept")]);
    const lost = await fixture.apply(["base", "middle", "top"].map(layer));
    const [, middle = ""] = fixture.snapshots.lowerDirectories(lost);
    if (form === "overlay") rmSync(middle, { recursive: true });
    else rmSync(join(middle, "../index"));
    fixture.snapshots = fixture.openStore();
    await fixture.snapshots.recover();
    const left = fixture.snapshots.list().map(({ chainId }) => chainId);
    expect(left.sort()).toEqual([kept, digestOf(layer("base"))].sort());
    fixture.snapshots.unmountUnneeded(new Set());
    expect(fixture.mounted()).toEqual([]);
    expect(fixture.openStore().list()).toHaveLength(2);
    expect(readdirSync(join(fixture.directory, "snapshots"))).toHaveLength(2);
  });

  test("a record that can't be read costs its layer alone", async () => {
    await using fixture = await LayerFixture.start({ form });
    await fixture.apply([layer("one")]);
    await fixture.apply([layer("two")]);
    fixture.database.run("UPDATE snapshots SET body = '{}' WHERE id = ?", digestOf(layer("one")));
    fixture.snapshots = fixture.openStore();
    await fixture.snapshots.recover();
    expect(fixture.snapshots.list().map(({ chainId }) => chainId)).toEqual([digestOf(layer("two"))]);
    expect(readdirSync(join(fixture.directory, "snapshots"))).toHaveLength(1);
  });
});

describe.skipIf(cannotRun())("SnapshotStore with indexed layers", () => {
  test("mounts a layer when it is needed, once, and takes off what nobody needs", async () => {
    await using fixture = await LayerFixture.start({ form: "erofs" });
    const { snapshots } = fixture;
    const top = await fixture.apply(["one", "two"].map(layer));
    const other = await fixture.apply([layer("other")]);
    snapshots.unmountUnneeded(new Set());
    expect(fixture.mounted()).toEqual([]);
    expect(snapshots.lowerDirectories(top)).toEqual(snapshots.lowerDirectories(top));
    snapshots.lowerDirectories(other);
    expect(fixture.mounted()).toHaveLength(3);
    const needed = new Set(snapshots.list().flatMap(({ chainId }) => (chainId === other ? [] : [chainId])));
    snapshots.unmountUnneeded(needed);
    expect(fixture.mounted()).toHaveLength(2);
    await snapshots.remove(top);
    expect(fixture.mounted()).toHaveLength(1);
  });

  test("an overlay goes on when the layers below it are taken off", async () => {
    await using fixture = await LayerFixture.start({ form: "erofs" });
    const target = fixture.mount(await fixture.apply(["one", "two"].map(layer)));
    fixture.snapshots.unmountUnneeded(new Set());
    expect(fixture.mounted()).toEqual([]);
    expect(readFileSync(join(target, "one"), "utf8")).toBe("one");
    expect(readdirSync(target).sort()).toEqual(["one", "two"]);
  });

  test("mounts again what somebody else has unmounted", async () => {
    await using fixture = await LayerFixture.start({ form: "erofs" });
    const top = await fixture.apply([layer("one")]);
    const [directory = ""] = fixture.snapshots.lowerDirectories(top);
    await unmount(directory);
    expect(fixture.snapshots.lowerDirectories(top)).toEqual([directory]);
    expect(readdirSync(directory)).toEqual(["one"]);
    await unmount(directory);
    fixture.snapshots.unmountUnneeded(new Set());
    expect(fixture.mounted()).toEqual([]);
  });

  test("recover() takes up the mounts of the agent before, and takes off what is none of them", async () => {
    await using fixture = await LayerFixture.start({ form: "erofs" });
    const top = await fixture.apply(["one", "two"].map(layer));
    const [upper = "", lower = ""] = fixture.snapshots.lowerDirectories(top);
    // Another file system over a layer, and one that a removal cut in two has left.
    mount("tmpfs", lower, "tmpfs");
    const { number } = fixture.snapshots.list().find(({ chainId }) => chainId === top) ?? { number: 0 };
    fixture.database.run("DELETE FROM snapshots WHERE id = ?", top);
    fixture.snapshots = fixture.openStore();
    await fixture.snapshots.recover();
    expect(fixture.mounted()).not.toContain(number);
    expect(existsSync(upper)).toBe(false);
    const [base = digestOf(Buffer.from("none"))] = fixture.snapshots.list().map(({ chainId }) => chainId);
    expect(readdirSync(fixture.snapshots.lowerDirectories(base)[0] ?? "")).toEqual(["one"]);
    expect(fixture.mounted()).toHaveLength(1);
    fixture.snapshots.unmountUnneeded(new Set());
    expect(fixture.mounted()).toEqual([]);
  });

  test("recover() forgets a snapshot whose tar was cut", async () => {
    await using fixture = await LayerFixture.start({ form: "erofs" });
    await fixture.apply([layer("one")]);
    const [{ number } = { number: 0 }] = fixture.snapshots.list();
    truncateSync(join(fixture.directory, "snapshots", String(number), "tar"), 512);
    fixture.snapshots = fixture.openStore();
    await fixture.snapshots.recover();
    expect(fixture.snapshots.list()).toEqual([]);
    expect(readdirSync(join(fixture.directory, "snapshots"))).toEqual([]);
  });

  test("keeps the layers of the other form, and builds on them", async () => {
    await using fixture = await LayerFixture.start();
    await fixture.apply([layer("one")]);
    fixture.form = "erofs";
    const top = await fixture.apply(["one", "two"].map(layer));
    expect(fixture.snapshots.list().map(({ form }) => form)).toEqual(["overlay", "erofs"]);
    expect(readdirSync(fixture.mount(top)).sort()).toEqual(["one", "two"]);
  });

  test("keeps no byte behind an archive's end", async () => {
    await using fixture = await LayerFixture.start({ form: "erofs" });
    await fixture.apply([Buffer.concat([layer("one"), Buffer.alloc(50_000_000)])], "gzip");
    expect(fixture.snapshots.usage().bytes).toBeLessThan(2_000_000);
  });
});

describe.skipIf(cannotRun()).each(snapshotForms)("ensureInitLayer(), form %s,", (form) => {
  let fixture: LayerFixture;
  let initLayer: string;
  beforeAll(async () => {
    fixture = await LayerFixture.start({ form });
    initLayer = ensureInitLayer(fixture.directory);
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  /** Mounts a container's root file system on an image and the init layer. */
  async function inContainer(tars: readonly Buffer[], look: (rootfs: string) => void): Promise<void> {
    const lower = [initLayer, ...fixture.snapshots.lowerDirectories(await fixture.apply(tars))];
    const own = join(fixture.directory, "container");
    const target = join(own, "rootfs");
    mountRootfs({ lower, upper: join(own, "upper"), work: join(own, "work"), target });
    try {
      look(target);
    } finally {
      await unmountRootfs(target);
      rmSync(own, { recursive: true, force: true });
    }
  }

  test("is the same when asked again", () => {
    const before = listTree(initLayer);
    expect(ensureInitLayer(fixture.directory)).toBe(initLayer);
    expect(listTree(initLayer)).toEqual(before);
  });

  test("hides links that would lead the runtime elsewhere", async () => {
    const links = ["dev", "proc", "sys", "etc"].map((name) => ({
      name,
      type: "symlink" as const,
      target: "/var/tmp/podling-test",
    }));
    await inContainer([writeTar(links)], (rootfs) => {
      const tree = listTree(rootfs);
      for (const name of ["dev", "proc", "sys", "etc", "dev/pts", "dev/shm"]) {
        expect(tree.get(name)?.kind).toBe("directory");
      }
      for (const name of ["etc/hosts", "etc/hostname", "etc/resolv.conf"]) {
        expect(tree.get(name)).toMatchObject({ kind: "file", mode: "644" });
      }
    });
  });

  test("leaves the image's own files in its directories", async () => {
    const image = [
      { name: "etc", type: "directory" as const },
      { name: "etc/passwd", body: "root:x:0:0::/root:/bin/sh\n" },
      { name: "etc/hosts", type: "symlink" as const, target: "/etc/shadow" },
    ];
    await inContainer([writeTar(image)], (rootfs) => {
      expect(readFileSync(join(rootfs, "etc/passwd"), "utf8")).toContain("root");
      expect(listTree(rootfs).get("etc/hosts")?.kind).toBe("file");
    });
  });

  test("an image of 128 layers mounts", async () => {
    const tars = Array.from({ length: 128 }, (_, index) => layer(`file-${index}`));
    await inContainer(tars, (rootfs) => {
      expect(readdirSync(rootfs).filter((name) => name.startsWith("file-"))).toHaveLength(128);
      expect(existsSync(join(rootfs, "dev/pts"))).toBe(true);
    });
  });
});

/** What the layers' files take, as the file system tells. */
function onDisk(root: string): { readonly bytes: number; readonly inodes: number } {
  const snapshots = readdirSync(join(root, "snapshots")).map((name) => join(root, "snapshots", name));
  const files = snapshots.flatMap((path) => ["tar", "index"].map((name) => statSync(join(path, name)).size));
  return { bytes: files.reduce((sum, size) => sum + size, 0), inodes: 4 * snapshots.length };
}
