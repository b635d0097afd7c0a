import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { busyboxLayer } from "./busybox-image.ts";
import { buildImage, buildLayer, type Image } from "./oci-image.ts";
import { pushImage, pushIndex } from "./push-image.ts";
import { Registry } from "./registry.ts";
import { RegistryProxy } from "./registry-proxy.ts";
import { cannotRun } from "./requirements.ts";
import { forgetInstance, reserveInstance, type TestInstance } from "./test-instance.ts";

const accept = { accept: "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json" };

describe.skipIf(cannotRun("docker-registry", "busybox"))("the test registry", () => {
  let instance: TestInstance;
  let registry: Registry;
  let image: Image;

  beforeAll(async () => {
    instance = await reserveInstance();
    registry = await Registry.start({ directory: join(instance.scratch, "registry") });
    const top = await buildLayer([{ name: "etc/motd", body: "hello" }], "zstd");
    image = buildImage({ layers: [await busyboxLayer(), top], config: { Cmd: ["/bin/sh"] } });
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    forgetInstance(instance.name);
  });

  test("serves what was pushed, by tag and digest", async () => {
    const pushed = await pushImage(registry, "team/app", "v1", image);
    const answer = await fetch(`http://${registry.host}/v2/team/app/manifests/v1`, { headers: accept });
    expect(answer.headers.get("docker-content-digest")).toBe(pushed.digest);
    const index = await pushIndex(registry, "team/app", "all", [image]);
    expect(index.digestReference).toBe(`${registry.host}/team/app@${index.digest}`);
  });

  test("serves a damaged blob short", async () => {
    const pushed = await pushImage(registry, "team/broken", "v1", image);
    const digest = image.layers[1]?.digest ?? "";
    registry.truncateBlob(digest, 10);
    const answer = await fetch(`http://${registry.host}/v2/team/broken/blobs/${digest}`);
    expect((await answer.arrayBuffer()).byteLength).toBe(10);
    expect(pushed.id).toBe(image.config.digest);
  });

  test("comes back on the same port", async () => {
    await registry.suspend();
    await expect(fetch(`http://${registry.host}/v2/`)).rejects.toThrow();
    await registry.resume();
    expect((await fetch(`http://${registry.host}/v2/`)).status).toBe(200);
  });

  test("wants a password when protected", async () => {
    await using closed = await Registry.start({ directory: join(instance.scratch, "closed"), protected: true });
    expect((await fetch(`http://${closed.host}/v2/`)).status).toBe(401);
    expect((await fetch(`http://${closed.host}/v2/`, { headers: closed.headers })).status).toBe(200);
    await pushImage(closed, "private/app", "v1", buildImage({ layers: [await buildLayer([])] }));
  });

  test("breaks off behind a proxy", async () => {
    await pushImage(registry, "team/app", "v1", image);
    await using proxy = await RegistryProxy.start(registry.host);
    const url = `http://${proxy.host}/v2/team/app/blobs/${image.layers[0]?.digest}`;
    proxy.faults = { cutAfterBytes: 100_000, cutConnections: 1 };
    await expect(fetch(url).then((answer) => answer.arrayBuffer())).rejects.toThrow();
    expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(image.layers[0]?.bytes.length);
  });
});
