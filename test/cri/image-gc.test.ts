import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AgentClient } from "../../src/cli/agent-client.ts";
import type { CollectImagesResponse__Output } from "../../src/generated/podling/v1/CollectImagesResponse.ts";
import { Agent } from "../support/agent.ts";
import { busyboxLayer } from "../support/busybox-image.ts";
import { output, runCommand } from "../support/command.ts";
import { CriClient } from "../support/cri-client.ts";
import { Crictl } from "../support/crictl.ts";
import { eventually } from "../support/eventually.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { type PushedImage, pushImage } from "../support/push-image.ts";
import { Registry } from "../support/registry.ts";
import { execOutput, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { reserveInstance } from "../support/test-instance.ts";
import { removeAllPods, type World } from "../support/world.ts";

const program = join(import.meta.dirname, "../../bin/podling");
const capacityBytes = 64 * 2 ** 20;
const ownBytes = 8 * 2 ** 20;

interface Row {
  readonly id: string;
  readonly image: string;
  readonly action: string;
  readonly reason: string;
  readonly detail: string;
  readonly freesBytes: number;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("collection of images", () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let before: HostSnapshot;

  /** An agent whose images have a small file system of their own, so that they alone fill it. */
  async function startAgent(gc: object): Promise<World> {
    const disk = mkdtempSync(join(tmpdir(), "podling-gc-"));
    resources.defer(() => rmdirSync(disk));
    await output(["mount", "-t", "tmpfs", "-o", `size=${capacityBytes}`, "podling-gc", disk]);
    resources.defer(async () => void (await output(["umount", disk])));
    const instance = { ...(await reserveInstance()), root: join(disk, "root") };
    mkdirSync(instance.root);
    const registry = resources.use(await Registry.start({ directory: join(instance.scratch, "registry") }));
    const image = buildImage({ layers: [await busyboxLayer()], config: { Cmd: ["/bin/sleep", "3600"] } });
    const busybox = await pushImage(registry, "gc/busybox", "1", image);
    const settings = { mirrors: { [registry.host]: registry.host }, overrides: { images: { gc } } };
    const agent = resources.use(await Agent.start(settings, instance));
    const client = resources.use(new CriClient(agent.socket));
    return { agent, registry, client, crictl: new Crictl(agent), busybox };
  }

  /** An image of the shared bottom layer and 8 MiB of its own. */
  async function pushLarge({ registry }: World, name: string): Promise<PushedImage> {
    const own = await buildLayer([{ name: `own-${name}`, body: randomBytes(ownBytes) }], "none");
    const layers = [await busyboxLayer(), own];
    return pushImage(registry, `gc/${name}`, "1", buildImage({ layers, config: { Cmd: ["/bin/sleep", "3600"] } }));
  }

  const podling = async (...argv: readonly string[]) =>
    await output([program, "images", ...argv, "--address", world.agent.socket]);
  const rows = async (...argv: readonly string[]) =>
    new Map((JSON.parse(await podling("gc", "-o", "json", ...argv)) as Row[]).map((row) => [nameOf(row.image), row]));
  const nameOf = (reference: string) => /gc\/([a-z]+)/.exec(reference)?.[1] ?? reference;
  const images = async () => {
    const { images: all } = await world.crictl.json<{ images: { repoTags: string[]; pinned: boolean }[] }>("images");
    return new Map(all.map(({ repoTags, pinned }) => [nameOf(repoTags[0] ?? ""), pinned]));
  };
  const availableBytes = () => {
    const { bavail, bsize } = statfsSync(world.agent.instance.root);
    return bavail * bsize;
  };

  beforeAll(async () => {
    world = await startAgent({
      high_threshold: 60,
      low_threshold: 58,
      minimum_age: "0s",
      interval: "0s",
      pinned: ["*/gc/configured:*"],
    });
  });
  beforeEach(async () => {
    before = await hostSnapshot(world.agent);
  });
  afterEach(async () => {
    await removeAllPods(world);
    for (const { id } of (await world.client.call("ListImages", {})).images) {
      await world.client.call("RemoveImage", { image: { image: id } });
    }
    await expectNoLeaks(world.agent, before);
  });
  afterAll(async () => {
    try {
      await world.agent.stop();
      await expectNothingLeft(world.agent);
    } finally {
      await resources.disposeAsync();
    }
  });

  test("makes space from images that nobody needs, and says why the others stay", async () => {
    const { crictl, client } = world;
    const pushed = new Map<string, PushedImage>();
    for (const name of ["free", "used", "configured", "pinned", "leased", "late"]) {
      const image = await pushLarge(world, name);
      pushed.set(name, image);
      await crictl.run("pull", image.reference);
    }
    const referenceOf = (name: string) => pushed.get(name)?.reference ?? "";
    const running = await runContainer(world, [], { container: { image: { image: referenceOf("used") } } });
    await client.call("StopContainer", { container_id: running.containerId, timeout: "0" });
    expect(await podling("pin", referenceOf("pinned"))).toContain(pushed.get("pinned")?.id);
    expect(await podling("lease", referenceOf("leased"), "--for", "1h")).toMatch(/^sha256:\S+ until 2\d\d\d-/);
    expect(Object.fromEntries(await images())).toMatchObject({ configured: true, pinned: true, free: false });
    const listed = JSON.parse(await podling("-o", "json")) as { tags: string[]; pinned: boolean }[];
    expect(listed.filter(({ pinned }) => pinned).map(({ tags }) => nameOf(tags[0] ?? ""))).toEqual([
      "configured",
      "pinned",
    ]);

    const spaceBefore = availableBytes();
    const planned = await rows("--dry-run");
    expect([...planned.values()].map(({ image, action, reason }) => [nameOf(image), action, reason])).toEqual(
      expect.arrayContaining([
        ["free", "remove", "space"],
        ["late", "remove", "space"],
        ["used", "keep", "in-use"],
        ["configured", "keep", "pinned"],
        ["pinned", "keep", "pinned"],
        ["leased", "keep", "leased"],
      ]),
    );
    expect([...planned.keys()].slice(0, 2)).toEqual(["free", "late"]);
    expect(planned.get("used")?.detail).toBe(`container ${running.containerId.slice(0, 13)}`);
    expect(planned.get("configured")?.detail).toBe("*/gc/configured:*");
    expect(planned.get("free")?.freesBytes).toBe(ownBytes);
    expect((await images()).size).toBe(6);
    // The records lie on the same disk and grow by a page or two.
    expect(Math.abs(availableBytes() - spaceBefore)).toBeLessThan(ownBytes / 8);

    const table = await podling("gc");
    expect(table).toMatch(/gc\/free:1 +removed +\S+ m?s +8\.4 MB +the file system is too full\n/);
    expect(table).toMatch(/gc\/used:1 +keep +0 ms +used by container [0-9a-f]{13}\n/);
    expect(table).toMatch(/% *\).*; \S+ MB more are wanted, and no image can go\n$/);
    expect([...(await images()).keys()].toSorted()).toEqual(["configured", "leased", "pinned", "used"]);
    expect(availableBytes() - spaceBefore).toBeGreaterThan((2 - 1 / 8) * ownBytes);

    // The stopped container's layers are whole: a new one of the same image finds its file.
    const again = await runContainer(world, [], { container: { image: { image: referenceOf("used") } } });
    expect(await execOutput(world, again.containerId, "wc", "-c", "/own-used")).toBe(`${ownBytes} /own-used\n`);
    await removeAllPods(world);
    await podling("unpin", referenceOf("pinned"));
    await podling("gc");
    // Of the four images, two thirds of the disk with the records, one is enough: the one that was out of use for longer.
    expect([...(await images()).keys()].toSorted()).toEqual(["configured", "leased", "used"]);
  });

  test("unpins what the configuration does not pin, and knows no other images", async () => {
    const { crictl } = world;
    const image = await pushLarge(world, "configured");
    await crictl.run("pull", image.reference);
    expect(await podling("pin", image.id)).toContain(image.id);
    expect(await podling("unpin", image.id)).toBe(`${image.id}, still pinned by the configuration\n`);
    for (const [argv, exitCode, reason] of [
      [["pin", "no.such.host/image:1"], 1, 'Image "no.such.host/image:1" is not on this node'],
      [["lease", image.id, "--for", "2 weeks"], 2, "is a duration"],
      [["lease", image.id, "--for", "9000h"], 1, "Invalid duration_seconds"],
    ] as const) {
      const result = await runCommand([program, "images", ...argv, "--address", world.agent.socket]);
      expect([result.exitCode, result.stdout]).toEqual([exitCode, ""]);
      expect(result.stderr).toContain(reason);
    }
    // The kubelet's own wish is still heard.
    await crictl.run("rmi", image.id);
    expect((await images()).size).toBe(0);
  });

  test("pins and leases outlive the agent", async () => {
    const { agent, crictl } = world;
    const [pinned, leased] = [await pushLarge(world, "pinned"), await pushLarge(world, "leased")];
    for (const { reference } of [pinned, leased]) await crictl.run("pull", reference);
    await podling("pin", pinned.id);
    await podling("lease", leased.id, "--for", "1h");
    await agent.kill();
    await agent.start();
    before = { ...before, own: { ...before.own, "open file": (await hostSnapshot(agent)).own["open file"] ?? [] } };
    const planned = await rows("--dry-run");
    expect([planned.get("pinned")?.reason, planned.get("leased")?.reason]).toEqual(["pinned", "leased"]);
  });

  test("makes space on a disk without any room, for its own records too, and pods can be removed there", async () => {
    const { agent, crictl } = world;
    const [free, pinned] = [await pushLarge(world, "free"), await pushLarge(world, "pinned")];
    for (const { reference } of [free, pinned]) await crictl.run("pull", reference);
    await podling("pin", pinned.id);
    await runContainer(world, [], { container: { image: { image: pinned.reference } } });
    const filler = join(agent.instance.root, "filler");
    await runCommand(["dd", "if=/dev/zero", `of=${filler}`, "bs=64k"]);
    try {
      expect(availableBytes()).toBe(0);
      await removeAllPods(world);
      expect((await rows()).get("free")).toMatchObject({ action: "removed", reason: "space" });
      expect(availableBytes()).toBeGreaterThan(ownBytes / 2);
      expect([...(await images()).keys()]).toEqual(["pinned"]);
    } finally {
      rmSync(filler);
    }
    await crictl.run("pull", free.reference);
  });

  test("never aborts a pull, nor leaves anything of what came and went, however often it looks", async () => {
    const hasty = await startAgent({ minimum_age: "0s", maximum_age: "1ms", interval: "0s" });
    using asking = new AgentClient(hasty.agent.socket);
    const pushed = await Promise.all(["one", "two", "three"].map((name) => pushLarge(hasty, name)));
    const emptied = await hostSnapshot(hasty.agent);
    let pulling = true;
    const storm = (async () => {
      let removed = 0;
      while (pulling) {
        const { decisions } = await asking.ask<CollectImagesResponse__Output>((done) =>
          asking.admin.CollectImages({}, done),
        );
        removed += decisions.filter((decision) => decision.removed).length;
      }
      return removed;
    })();
    const pullAll = () =>
      Promise.all(pushed.map(({ reference }) => hasty.client.call("PullImage", { image: { image: reference } })));
    try {
      for (let round = 0; round < 5; round++) {
        expect((await pullAll()).map((answer) => answer.image_ref)).toEqual(pushed.map(({ id }) => id));
      }
    } finally {
      pulling = false;
      expect(await storm).toBeGreaterThanOrEqual(pushed.length);
    }
    await output([program, "images", "gc", "--address", hasty.agent.socket]);
    expect((await hasty.client.call("ListImages", {})).images).toEqual([]);
    await expectNoLeaks(hasty.agent, emptied);
    await hasty.agent.stop();
    await expectNothingLeft(hasty.agent);
  });

  test("never takes what a container is made of", async () => {
    const hasty = await startAgent({ minimum_age: "0s", maximum_age: "1ms", interval: "0s" });
    const pushed = await Promise.all(["one", "two", "three"].map((name) => pushLarge(hasty, name)));
    let collecting = true;
    const collector = (async () => {
      let passes = 0;
      for (; collecting; passes++) {
        await output([program, "images", "gc", "--address", hasty.agent.socket]);
      }
      return passes;
    })();
    const started: string[] = [];
    try {
      for (let round = 0; round < 3; round++) {
        for (const { reference } of pushed) {
          const image = { image: reference };
          // Between pull and creation the image may go, as after any removal; then it is pulled again.
          const running = await eventually("a container of the image", async () => {
            try {
              return await runContainer(hasty, [], { container: { image } });
            } catch (error) {
              if (!/is not on this node|NotFound|not found/i.test(String(error))) throw error;
              await removeAllPods(hasty);
              return undefined;
            }
          });
          const name = nameOf(reference);
          expect(await execOutput(hasty, running.containerId, "wc", "-c", `/own-${name}`)).toBe(
            `${ownBytes} /own-${name}\n`,
          );
          started.push(name);
          await removeAllPods(hasty);
        }
      }
    } finally {
      collecting = false;
      expect(await collector).toBeGreaterThan(0);
    }
    expect(started).toHaveLength(9);
    await output([program, "images", "gc", "--address", hasty.agent.socket]);
    expect((await hasty.client.call("ListImages", {})).images).toEqual([]);
    await hasty.agent.stop();
    await expectNothingLeft(hasty.agent);
  });

  test("collects by itself, and its metrics tell", async () => {
    const own = await startAgent({ minimum_age: "0s", maximum_age: "500ms", interval: "200ms" });
    const image = await pushLarge(own, "old");
    await own.crictl.run("pull", image.reference);
    await eventually(
      "the image to be collected",
      async () => (await own.client.call("ListImages", {})).images.length === 0,
    );
    const address = /"metricsAddress":"([^"]+)"/.exec(own.agent.log())?.[1];
    const counted = 'podling_image_gc_removed_total{reason="expired"} 1\n';
    const text = await eventually("its layers to be gone", async () => {
      const now = await (await fetch(`http://${address}/metrics`)).text();
      return now.includes(counted) && now;
    });
    expect(Number(/podling_image_gc_freed_bytes_total (\d+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(ownBytes);
    expect(own.agent.log()).toContain('"msg":"image collected"');
    await own.agent.stop();
    await expectNothingLeft(own.agent);
  });
});
