import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { buildImage, buildLayer, type Layer } from "../support/oci-image.ts";
import { type PushedImage, pushImage, pushIndex } from "../support/push-image.ts";
import { RegistryProxy } from "../support/registry-proxy.ts";
import { cannotRun } from "../support/requirements.ts";
import { type TarEntry, writeTar } from "../support/tar-writer.ts";
import { useWorld } from "../support/world.ts";

interface Refused {
  readonly code: number;
  readonly details: string;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("images that cannot be pulled", () => {
  const world = useWorld();

  async function refusal(reference: string, timeoutMs?: number): Promise<Refused> {
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    return world()
      .client.call("PullImage", { image: { image: reference } }, options)
      .then(
        () => {
          throw new Error(`${reference} was pulled`);
        },
        (error: Refused) => error,
      );
  }
  const push = (repository: string, layers: readonly Layer[], architecture?: string) =>
    pushImage(
      world().registry,
      repository,
      "v1",
      buildImage({ layers, ...(architecture === undefined ? {} : { architecture }) }),
    );
  /** Nothing half-done stays, and the next correct pull works. */
  async function expectUnharmed(bad?: PushedImage): Promise<void> {
    const { client, agent } = world();
    if (bad !== undefined) {
      const { image } = await client.call("ImageStatus", { image: { image: bad.reference } });
      expect(image).toBeNull();
    }
    const ingest = `${agent.instance.root}/ingest`;
    expect(existsSync(ingest) ? readdirSync(ingest) : []).toEqual([]);
    const good = await push("team/good", [await buildLayer([{ name: "ok", body: randomBytes(8).toString("hex") }])]);
    const { image_ref } = await client.call("PullImage", { image: { image: good.reference } });
    expect(image_ref).toBe(good.id);
    await client.call("RemoveImage", { image: { image: good.id } });
  }

  test("a name the registry does not have", async () => {
    const reference = `${world().registry.host}/no/such:v1`;
    const error = await refusal(reference);
    expect(error).toMatchObject({ code: 5, details: expect.stringContaining(reference) });
    await expectUnharmed();
  });

  test("a malformed reference", async () => {
    for (const reference of ["team/UPPER:v1", "a:b:c", "host/../etc:v1", "img@sha256:123"]) {
      expect(await refusal(reference)).toMatchObject({ code: 3, details: expect.stringContaining(reference) });
    }
  });

  test("no variant for this machine", async () => {
    const image = buildImage({ layers: [await buildLayer([{ name: "x" }])], architecture: "s390x" });
    const pushed = await pushIndex(world().registry, "team/foreign", "v1", [image]);
    const error = await refusal(pushed.reference);
    expect(error).toMatchObject({ code: 5 });
    expect(error.details).toContain("s390x");
    expect(error.details).toMatch(/amd64|arm64/);
    await expectUnharmed(pushed);
  });

  test("a layer of other bytes than its digest says", async () => {
    const layer = await buildLayer([{ name: "x", body: randomBytes(5000) }]);
    const pushed = await push("team/wrong-digest", [layer]);
    const other = Buffer.from(layer.bytes);
    other[other.length - 20] = (other[other.length - 20] ?? 0) ^ 1;
    world().registry.replaceBlob(layer.digest, other);
    const error = await refusal(pushed.reference);
    expect(error.details).toContain(layer.digest);
    expect([9, 15]).toContain(error.code);
    await expectUnharmed(pushed);
  });

  test("a layer that is shorter than its size says", async () => {
    const layer = await buildLayer([{ name: "x", body: randomBytes(50_000) }]);
    const pushed = await push("team/short", [layer]);
    world().registry.truncateBlob(layer.digest, 20_000);
    const error = await refusal(pushed.reference);
    expect(error.details).toContain(layer.digest);
    await expectUnharmed(pushed);
  });

  test("a layer whose tar is not what the config's diff_id says", async () => {
    const layer = await buildLayer([{ name: "x", body: "real" }]);
    const lying = { ...layer, diffId: `sha256:${"1".repeat(64)}` };
    const pushed = await push("team/lying", [lying]);
    const error = await refusal(pushed.reference);
    expect(error.details).toContain("1".repeat(64));
    await expectUnharmed(pushed);
  });

  test("a layer that ends in the middle of an entry", async () => {
    const tar = writeTar([{ name: "x", body: randomBytes(5000) }]).subarray(0, 2000);
    const pushed = await push("team/cut-tar", [await buildLayer(tar)]);
    await refusal(pushed.reference);
    await expectUnharmed(pushed);
  });

  const escapes: readonly [string, readonly TarEntry[]][] = [
    ["a path upwards", [{ name: "../../../../../../../../../tmp/podling-escape", body: "x" }]],
    ["an absolute path", [{ name: "/tmp/podling-escape", body: "x" }]],
    [
      "a symbolic link to the host's directory",
      [
        { name: "out", type: "symlink", target: "/tmp" },
        { name: "out/podling-escape", body: "x" },
      ],
    ],
    [
      "a relative symbolic link upwards",
      [
        { name: "out", type: "symlink", target: "../../../../../../../../../../tmp" },
        { name: "out/podling-escape", body: "x" },
      ],
    ],
    [
      "a hard link to the host's file",
      [{ name: "podling-escape", type: "hardlink", target: "../../../../../../etc/passwd" }],
    ],
    ["a whiteout upwards", [{ name: "../../../../../../../../../../tmp/.wh.podling-escape" }]],
  ];
  test.each(escapes)("a layer with %s touches nothing outside its root", async (what, entries) => {
    const pushed = await push(`team/escape-${what.replaceAll(/[^a-z]+/g, "-")}`, [await buildLayer(entries)]);
    // Refusing it and keeping it inside are both right; reaching the host is not.
    await world()
      .client.call("PullImage", { image: { image: pushed.reference } })
      .then(
        () => world().client.call("RemoveImage", { image: { image: pushed.reference } }),
        (error: Refused) => expect(error.code).not.toBe(13),
      );
    expect(existsSync("/tmp/podling-escape")).toBe(false);
    await expectUnharmed();
  });

  test("a registry that is down", async () => {
    const { registry } = world();
    const pushed = await push("team/down", [await buildLayer([{ name: "x", body: "down" }])]);
    await registry.suspend();
    try {
      const error = await refusal(pushed.reference);
      expect(error).toMatchObject({ code: 14, details: expect.stringContaining(registry.host) });
      expect(error.details).toContain("RegistryUnavailable");
    } finally {
      await registry.resume();
    }
    await expectUnharmed(pushed);
  });

  test("a registry that never answers ends with the caller's deadline", async () => {
    const { registry } = world();
    const pushed = await push("team/silent", [await buildLayer([{ name: "x", body: "silent" }])]);
    await using proxy = await RegistryProxy.start(registry.host);
    proxy.faults = { silent: true };
    const error = await refusal(pushed.reference.replace(registry.host, proxy.host), 2_000);
    expect(error.code).toBe(4);
    await expectUnharmed(pushed);
  });

  test("a connection that breaks in the middle of a layer is resumed", async () => {
    const { registry, client } = world();
    const body = randomBytes(3_000_000);
    const pushed = await push("team/resumed", [await buildLayer([{ name: "noise", body }])]);
    await using proxy = await RegistryProxy.start(registry.host);
    proxy.faults = { cutAfterBytes: 1_000_000, cutConnections: 2 };
    const reference = pushed.reference.replace(registry.host, proxy.host);
    const { image_ref } = await client.call("PullImage", { image: { image: reference } });
    expect(image_ref).toBe(pushed.id);
    expect(proxy.sentBytes).toBeLessThan(3_600_000);
    await client.call("RemoveImage", { image: { image: pushed.id } });
  });
});
