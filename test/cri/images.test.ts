import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { busyboxLayer } from "../support/busybox-image.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { pushImage, pushIndex } from "../support/push-image.ts";
import { Registry, registryPassword, registryUser } from "../support/registry.ts";
import { RegistryProxy } from "../support/registry-proxy.ts";
import { execOutput, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

interface ShownImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: string;
  readonly pinned: boolean;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("crictl and images", () => {
  const world = useWorld();
  const images = async () => (await world().crictl.json<{ images: ShownImage[] }>("images")).images;

  test("pull, images, inspecti and rmi show one image by all its names", async () => {
    const { crictl, registry } = world();
    const layer = await buildLayer([{ name: "hello", body: "hello" }]);
    const image = buildImage({ layers: [layer], config: { User: "1000:1000", Cmd: ["/hello"], Env: ["A=1"] } });
    const pushed = await pushImage(registry, "team/hello", "v1", image);

    expect(await crictl.run("pull", pushed.reference)).toContain(pushed.id);
    const [shown] = (await images()).filter((one) => one.id === pushed.id);
    expect(shown).toMatchObject({
      id: pushed.id,
      repoTags: [pushed.reference],
      repoDigests: [pushed.digestReference],
      size: expect.stringMatching(/^[1-9]\d*$/),
      uid: { value: "1000" },
      pinned: false,
    });
    const table = await crictl.run("images");
    expect(table).toMatch(/^IMAGE\s+TAG\s+IMAGE ID\s+SIZE/);
    expect(table).toMatch(new RegExp(`${registry.host}/team/hello\\s+v1\\s+${pushed.id.slice(7, 20)}`));

    for (const name of [
      pushed.reference,
      pushed.digestReference,
      pushed.id,
      pushed.id.slice(7),
      pushed.id.slice(7, 20),
    ]) {
      const { status, info } = await crictl.json<{ status: ShownImage; info: object }>("inspecti", name);
      expect(status.id).toBe(pushed.id);
      expect(JSON.stringify(info)).toContain('"Cmd":["/hello"]');
    }
    expect(await crictl.run("rmi", pushed.id.slice(7, 20))).toContain("Deleted");
    expect((await images()).map((one) => one.id)).not.toContain(pushed.id);
    expect(await crictl.refused("inspecti", pushed.reference)).toContain("no such image");
  });

  test("a pull by digest gives an image without a tag; a second tag is one more name", async () => {
    const { crictl, registry } = world();
    const image = buildImage({ layers: [await buildLayer([{ name: "a", body: "a" }])] });
    const one = await pushImage(registry, "team/names", "one", image);
    await crictl.run("pull", one.digestReference);
    expect((await images()).find(({ id }) => id === one.id)).toMatchObject({
      repoTags: [],
      repoDigests: [one.digestReference],
    });
    const two = await pushImage(registry, "team/names", "two", image);
    await crictl.run("pull", one.reference);
    await crictl.run("pull", two.reference);
    const shown = (await images()).find(({ id }) => id === one.id);
    expect([...(shown?.repoTags ?? [])].sort()).toEqual([one.reference, two.reference]);
    await crictl.run("rmi", one.id);
    expect((await images()).map(({ id }) => id)).not.toContain(one.id);
  });

  test("a tag that moved leaves the old image without a name", async () => {
    const { crictl, registry } = world();
    const old = await pushImage(
      registry,
      "team/moving",
      "v1",
      buildImage({ layers: [await buildLayer([{ name: "1" }])] }),
    );
    await crictl.run("pull", old.reference);
    const next = await pushImage(
      registry,
      "team/moving",
      "v1",
      buildImage({ layers: [await buildLayer([{ name: "2" }])] }),
    );
    await crictl.run("pull", next.reference);
    const shown = await images();
    expect(shown.find(({ id }) => id === old.id)?.repoTags ?? []).toEqual([]);
    expect(shown.find(({ id }) => id === next.id)?.repoTags).toEqual([next.reference]);
    await crictl.run("rmi", next.id);
    if (shown.some(({ id }) => id === old.id)) await crictl.run("rmi", old.id);
  });

  test.each(["oci", "docker"] as const)("an index in %s form gives this machine's image", async (format) => {
    const { crictl, registry } = world();
    const build = async (architecture: string) =>
      buildImage({ layers: [await buildLayer([{ name: "arch", body: architecture + format }])], architecture, format });
    const own = await build(process.arch === "x64" ? "amd64" : process.arch);
    const pushed = await pushIndex(registry, `team/index-${format}`, "v1", [own, await build("s390x")], format);
    await crictl.run("pull", pushed.reference);
    expect((await images()).find(({ id }) => id === pushed.id)?.repoDigests).toEqual([pushed.digestReference]);
    await crictl.run("rmi", pushed.reference);
  });

  test.each(["gzip", "zstd", "none"] as const)("a %s layer's files are in the container", async (compression) => {
    const { crictl, registry, client } = world();
    const top = await buildLayer([{ name: "etc/proof", body: compression }], compression);
    const image = buildImage({ layers: [await busyboxLayer(), top], config: { Cmd: ["/bin/sleep", "3600"] } });
    const pushed = await pushImage(registry, `team/${compression}`, "v1", image);
    const running = await runContainer(world(), [], { container: { image: { image: pushed.reference } } });
    expect(await execOutput(world(), running.containerId, "cat", "/etc/proof")).toBe(compression);
    await client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
    await crictl.run("rmi", pushed.reference);
  });

  test("a protected registry takes the right credentials and no others", async () => {
    const { crictl, agent } = world();
    await using closed = await Registry.start({ directory: `${agent.instance.scratch}/closed`, protected: true });
    const image = buildImage({ layers: [await buildLayer([{ name: "secret" }])] });
    const pushed = await pushImage(closed, "private/app", "v1", image);
    for (const credentials of [[], ["--creds", `${registryUser}:wrong`]]) {
      const refusal = await crictl.refused("pull", ...credentials, pushed.reference);
      expect(refusal).toMatch(/code = (Unauthenticated|PermissionDenied)/);
      expect(refusal).toContain(pushed.reference);
      expect(refusal).not.toContain("wrong");
    }
    await crictl.run("pull", "--creds", `${registryUser}:${registryPassword}`, pushed.reference);
    expect(agent.log()).not.toContain(registryPassword);
    await crictl.run("rmi", pushed.reference);
  });

  test("twenty pulls of an image at once fetch its layers once", async () => {
    const { client, registry } = world();
    await using proxy = await RegistryProxy.start(registry.host);
    const image = buildImage({ layers: [await buildLayer([{ name: "noise", body: randomBytes(2_000_000) }])] });
    const pushed = await pushImage(registry, "team/shared", "v1", image);
    const reference = pushed.reference.replace(registry.host, proxy.host);
    const pulls = Array.from({ length: 20 }, () => client.call("PullImage", { image: { image: reference } }));
    const answers = new Set((await Promise.all(pulls)).map((answer) => answer.image_ref));
    expect([...answers]).toEqual([pushed.id]);
    expect(proxy.sentBytes).toBeLessThan(3_000_000);
    await client.call("RemoveImage", { image: { image: pushed.id } });
  });

  test("removing what is not there succeeds, and the image filesystem has a size", async () => {
    const { client, crictl } = world();
    await client.call("RemoveImage", { image: { image: "sha256:".padEnd(71, "0") } });
    await client.call("RemoveImage", { image: { image: "no.such.host/image:v1" } });
    const info = await crictl.json<{ status: { imageFilesystems: { usedBytes: { value: string } }[] } }>("imagefsinfo");
    expect(Number(info.status.imageFilesystems[0]?.usedBytes.value)).toBeGreaterThanOrEqual(0);
  });
});
