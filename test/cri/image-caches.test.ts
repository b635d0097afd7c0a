import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Agent } from "../support/agent.ts";
import { busyboxLayer } from "../support/busybox-image.ts";
import { runCommand } from "../support/command.ts";
import { CriClient } from "../support/cri-client.ts";
import { Crictl } from "../support/crictl.ts";
import { eventually } from "../support/eventually.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { type PushedImage, pushImage } from "../support/push-image.ts";
import { Registry, registryPassword, registryUser } from "../support/registry.ts";
import { RequestLog } from "../support/request-log.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { reserveInstance } from "../support/test-instance.ts";
import { removeAllPods, type World } from "../support/world.ts";

const program = join(import.meta.dirname, "../../bin/podling");
const host = "caches.test";

interface Cache {
  readonly imageCacheId: string;
  readonly name: string;
  readonly origin: string;
  readonly phase: string;
  readonly progress: string;
  readonly expireDateTime: string;
  readonly lastMatchedTime: string;
  readonly spec: { readonly images: readonly string[]; readonly imageCacheSize: number };
  readonly images: readonly { readonly reference: string; readonly id: string; readonly layers: number }[];
  readonly events: readonly { readonly type: string; readonly reason: string; readonly message: string }[];
}

/** What `crictl inspectp` says of a pod's cache. */
interface PodCache {
  readonly id: string;
  readonly name: string;
  readonly reason: string;
  readonly images: readonly { readonly reference: string; readonly degree: string }[];
  readonly madeOfItsImages: string;
  readonly annotations: Readonly<Record<string, string>>;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("image caches", () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let requests: RequestLog;
  let guarded: Registry;
  let manifests: string;
  let before: HostSnapshot;

  const podling = (...argv: readonly string[]) =>
    runCommand([program, "caches", ...argv, "--address", world.agent.socket]);
  const done = async (...argv: readonly string[]) => {
    const { exitCode, stdout, stderr } = await podling(...argv);
    if (exitCode !== 0) throw new Error(`podling caches ${argv.join(" ")} ended with ${exitCode}: ${stderr}`);
    return stdout;
  };
  const list = async () => JSON.parse(await done("ls", "-o", "json")) as Cache[];
  const show = async (name: string) => JSON.parse(await done("show", name, "-o", "json")) as Cache;
  const create = async (name: string, ...argv: readonly string[]) =>
    JSON.parse(await done("create", name, ...argv, "-o", "json")) as Cache;
  const inPhase = (name: string, phase: string) =>
    eventually(`image cache ${name} to be ${phase}`, async () => {
      const found = (await list()).find((cache) => cache.name === name);
      return found?.phase === phase && found;
    });

  /** An image of the shared bottom layer and one of its own, named as pods name it. */
  async function push(name: string, to?: Registry): Promise<PushedImage> {
    const own = await buildLayer([{ name: `own-${name}`, body: randomBytes(4096).toString("hex") }]);
    const image = buildImage({ layers: [await busyboxLayer(), own], config: { Cmd: ["/bin/sleep", "3600"] } });
    const pushed = await pushImage(to ?? world.registry, `caches/${name}`, "1", image);
    if (to !== undefined) return pushed;
    return {
      ...pushed,
      reference: pushed.reference.replace(world.registry.host, host),
      digestReference: pushed.digestReference.replace(world.registry.host, host),
    };
  }

  const imagesOnNode = async () =>
    (await world.client.call("ListImages", {})).images.flatMap(({ repo_tags }) => repo_tags).toSorted();
  const pull = (reference: string) => world.client.call("PullImage", { image: { image: reference } });
  const blobs = (paths: readonly string[]) => paths.filter((path) => path.includes("/blobs/"));
  const runPod = async (annotations: Record<string, string>) => {
    const pod = podConfig(world, { annotations });
    const { pod_sandbox_id: podId } = await world.client.call("RunPodSandbox", { config: pod });
    return { pod, podId };
  };
  const cacheOfPod = async (podId: string) =>
    (await world.crictl.json<{ info: { imageCache: PodCache | null } }>("inspectp", podId)).info.imageCache;
  const apply = (file: string, text: string) => {
    // As a whole, as an operator's tool would.
    const path = join(manifests, file);
    writeFileSync(`${path}.part`, text);
    renameSync(`${path}.part`, path);
  };
  const manifest = (name: string, images: readonly string[], more = "") =>
    `apiVersion: eci.alibabacloud.com/v1\nkind: ImageCache\nmetadata:\n  name: ${name}\nspec:\n  images: ${JSON.stringify(images)}\n${more}`;

  beforeAll(async () => {
    const instance = await reserveInstance();
    const registry = resources.use(await Registry.start({ directory: join(instance.scratch, "registry") }));
    guarded = resources.use(await Registry.start({ directory: join(instance.scratch, "guarded"), protected: true }));
    requests = resources.use(await RequestLog.start(registry.host));
    manifests = join(instance.scratch, "manifests.d");
    mkdirSync(manifests);
    const busybox = await pushImage(registry, "caches/busybox", "1", buildImage({ layers: [await busyboxLayer()] }));
    const mirrors = { [host]: requests.host };
    const overrides = {
      images: { snapshotter: process.env["PODLING_TEST_SNAPSHOTTER"] ?? "auto", caches: { limit: 5 } },
    };
    const agent = resources.use(await Agent.start({ mirrors, overrides }, instance));
    const client = resources.use(new CriClient(agent.socket));
    world = { agent, registry, client, crictl: new Crictl(agent), busybox };
  });
  beforeEach(async (context) => {
    before = await hostSnapshot(world.agent);
    requests.take();
    const logged = world.agent.log().length;
    context.onTestFailed(() => {
      process.stderr.write(`agent's log:\n${world.agent.log().slice(logged).slice(-6000)}\n`);
    });
  });
  afterEach(async () => {
    requests.release();
    rmSync(manifests, { recursive: true });
    mkdirSync(manifests);
    await eventually("the caches of manifests to be gone", async () =>
      (await list()).every(({ origin }) => origin !== "manifest"),
    );
    await removeAllPods(world);
    for (const { name } of await list()) await done("rm", name);
    for (const { id } of (await world.client.call("ListImages", {})).images) {
      await world.client.call("RemoveImage", { image: { image: id } });
    }
    const restarted = {
      ...before,
      own: { ...before.own, "open file": (await hostSnapshot(world.agent)).own["open file"] ?? [] },
    };
    await expectNoLeaks(world.agent, restarted);
  });
  afterAll(async () => {
    try {
      await world.agent.stop();
      await expectNothingLeft(world.agent);
    } finally {
      await resources.disposeAsync();
    }
  });

  test("keep images that are pulled without a byte from the registry, also by the next agent", async () => {
    const [web, job] = [await push("web"), await push("job")];
    const cache = await create("pair", "--image", web.reference, "--image", job.reference, "--retention-days", "3");
    expect(cache).toMatchObject({ phase: "Ready", progress: "100%", origin: "admin", spec: { imageCacheSize: 20 } });
    expect(cache.imageCacheId).toMatch(/^imc-[0-9a-f]{20}$/);
    expect(cache.images.map(({ reference, id, layers }) => [reference, id, layers])).toEqual([
      [web.reference, web.id, 2],
      [job.reference, job.id, 2],
    ]);
    expect(cache.events.map(({ reason }) => reason)).toEqual(["Creating", "ImageCached", "ImageCached", "Ready"]);
    expect(Date.parse(cache.expireDateTime)).toBeGreaterThan(Date.now() + 2 * 86_400_000);
    // The shared layer came once: two layers of their own, one shared, two configurations.
    expect(blobs(requests.take())).toHaveLength(5);
    // A cache's images are the node's only when a pod or a pull asks for them.
    expect(await imagesOnNode()).toEqual([]);
    expect(await done("ls")).toMatch(/^NAME .*\npair .* imc-\S+ +Ready +100% +2 /);
    expect(await done("show", cache.imageCacheId)).toContain(`${web.reference}   2 layers`);

    await world.agent.kill();
    await world.agent.start();
    expect(await show("pair")).toMatchObject({ phase: "Ready", imageCacheId: cache.imageCacheId });
    expect((await pull(web.digestReference)).image_ref).toBe(web.id);
    expect(requests.take()).toEqual([]);
    expect((await pull(job.reference)).image_ref).toBe(job.id);
    const asked = requests.take();
    expect(blobs(asked)).toEqual([]);
    expect(asked.every((path) => path.includes("/manifests/"))).toBe(true);

    const running = await runContainer(world, [], { container: { image: { image: web.digestReference } } });
    expect(await execOutput(world, running.containerId, "wc", "-c", "/own-web")).toBe("8192 /own-web\n");
    expect(requests.take()).toEqual([]);
  });

  test("keep layers through removals and collections, and give them up when they are deleted", async () => {
    const image = await push("kept");
    await create("kept", "--image", image.reference);
    await pull(image.reference);
    await world.crictl.run("rmi", image.id);
    await runCommand([program, "images", "gc", "--address", world.agent.socket]);
    requests.take();
    await pull(image.digestReference);
    expect(requests.take()).toEqual([]);
    const running = await runContainer(world, [], { container: { image: { image: image.digestReference } } });
    const decisions = await runCommand([
      program,
      "images",
      "gc",
      "--dry-run",
      "-o",
      "json",
      "--address",
      world.agent.socket,
    ]);
    expect(decisions.stdout).toMatch(/used|in-use/);

    expect(await done("rm", "kept")).toBe("kept\n");
    expect(await list()).toEqual([]);
    await world.crictl.run("rmi", image.id);
    // The container has what it is made of, though neither cache nor image is there.
    expect(await execOutput(world, running.containerId, "wc", "-c", "/own-kept")).toBe("8192 /own-kept\n");
    await removeAllPods(world);
    requests.take();
    await pull(image.digestReference);
    expect(blobs(requests.take()).length).toBeGreaterThan(0);
    expect((await podling("rm", "kept")).exitCode).toBe(1);
  });

  test.each([
    ["no JSON", (body: string) => body.slice(0, body.length / 2)],
    ["an unknown phase", (body: string) => body.replace('"phase":"Ready"', '"phase":"dreaming"')],
    ["empty", () => ""],
  ])(
    "whose records can't be read are set aside and keep their layers until they are mended or given up: %s",
    async (_, damage) => {
      const { agent } = world;
      const image = await push("damaged");
      const { imageCacheId } = await create("damaged", "--image", image.reference);
      const rewrite = (change: (body: string) => string) => {
        using database = new DatabaseSync(join(agent.instance.root, "records.db"));
        const row = database.prepare("SELECT body FROM image_caches WHERE id = ?").get(imageCacheId);
        const body = String(row?.["body"]);
        database.prepare("UPDATE image_caches SET body = ? WHERE id = ?").run(change(body), imageCacheId);
        return body;
      };
      const restart = async (change: (body: string) => string) => {
        await agent.kill();
        const before = rewrite(change);
        await agent.start();
        return before;
      };
      const kept = join(agent.instance.root, "quarantine", `image-cache-${imageCacheId}.txt`);
      try {
        const sound = await restart(damage);
        expect(readFileSync(kept, "utf8")).toBe(damage(sound));
        expect(await list()).toEqual([]);
        expect((await podling("show", imageCacheId)).stderr).toContain("has a record that can't be read");
        expect((await runCommand([program, "doctor", "--config", agent.configPath])).stdout).toContain(kept);
        // Another image comes and goes, with all that is collected then.
        const other = await push("other");
        await pull(other.reference);
        await world.crictl.run("rmi", other.id);

        await restart(() => sound);
        expect(await show("damaged")).toMatchObject({ phase: "Ready", imageCacheId });
        requests.take();
        await pull(image.digestReference);
        expect(requests.take()).toEqual([]);
        await world.crictl.run("rmi", image.id);

        await restart(damage);
        expect(await done("rm", imageCacheId)).toBe(`${imageCacheId}\n`);
        expect((await podling("rm", imageCacheId)).stderr).toContain("No image cache has the id or name");
        await pull(image.digestReference);
        expect(blobs(requests.take()).length).toBeGreaterThan(0);
      } finally {
        rmSync(join(agent.instance.root, "quarantine"), { recursive: true, force: true });
      }
    },
  );

  test("are given to pods that name them, whose images then need no pull", async () => {
    const image = await push("named");
    const { imageCacheId } = await create("named", "--image", image.reference);
    requests.take();
    const { pod, podId } = await runPod({ "k8s.aliyun.com/eci-imc-id": imageCacheId });
    expect(await imagesOnNode()).toEqual([image.reference]);
    const container = await world.crictl.run(
      "create",
      podId,
      world.crictl.file({ metadata: { name: "main" }, image: { image: image.reference }, linux: {} }),
      world.crictl.file(pod),
    );
    await world.crictl.run("start", container);
    expect(await execOutput(world, container, "wc", "-c", "/own-named")).toBe("8192 /own-named\n");
    expect(requests.take()).toEqual([]);
    expect(await cacheOfPod(podId)).toEqual({
      id: imageCacheId,
      name: "named",
      reason: "named by k8s.aliyun.com/eci-imc-id",
      images: [{ reference: image.reference, degree: "full", cachedLayers: 2, layers: 2 }],
      madeOfItsImages: "",
      annotations: { "k8s.aliyun.com/eci-matched-image-cache": imageCacheId },
      wish: expect.objectContaining({ cacheId: imageCacheId }),
    });
    expect((await show("named")).lastMatchedTime).not.toBe("");
    expect((await cacheOfPod((await runPod({})).podId)) ?? "none").toBe("none");
  });

  test("that are named but can't be used keep the pod from being run", async () => {
    await expect(runPod({ "k8s.aliyun.com/eci-imc-id": "imc-0000" })).rejects.toThrow(
      /NOT_FOUND.*No image cache has the id "imc-0000" of annotation k8s.aliyun.com\/eci-imc-id/,
    );
    const image = await push("late");
    requests.hold((path) => path.includes("/blobs/"));
    const { imageCacheId, phase } = await create("late", "--image", image.reference, "--no-wait");
    expect(phase).toBe("Preparing");
    await expect(runPod({ "k8s.aliyun.com/eci-imc-id": imageCacheId })).rejects.toThrow(
      /FAILED_PRECONDITION.*is (?:Preparing|Creating), must be Ready/,
    );
    await expect(runPod({ "k8s.aliyun.com/eci-auto-imc": "maybe" })).rejects.toThrow(
      /INVALID_ARGUMENT.*eci-auto-imc "maybe": must be "true" or "false"/,
    );
    expect((await world.client.call("ListPodSandbox", {})).items).toEqual([]);
    // Deleted while it is being made: nothing of it stays.
    await done("rm", "late");
    requests.release();
  });

  test("are found by pods, made of the images of those that find none, and given to the next", async () => {
    const [main, side] = [await push("main"), await push("side")];
    const auto = { "k8s.aliyun.com/eci-auto-imc": "true" };
    const first = await runContainer(world, [], {
      pod: { annotations: auto },
      container: { image: { image: main.reference } },
    });
    const found = await cacheOfPod(first.podId);
    expect(found).toMatchObject({ id: "", images: [{ reference: main.reference, degree: "none" }] });
    expect(found?.reason).toContain("none of 0 ready image caches");
    const [made] = await list();
    expect(found?.madeOfItsImages).toBe(made?.imageCacheId);
    await inPhase(made?.name ?? "", "Ready");

    // A container of another image makes the pod's cache grow; what it brought before is served meanwhile.
    await pull(side.reference);
    const sidecar = { metadata: { name: "side" }, image: { image: side.reference }, linux: {} };
    await world.client.call("CreateContainer", {
      pod_sandbox_id: first.podId,
      config: sidecar,
      sandbox_config: first.pod,
    });
    expect(await cacheOfPod(first.podId)).toMatchObject({
      id: made?.imageCacheId,
      madeOfItsImages: made?.imageCacheId,
    });
    const grown = await eventually("the cache to have both images", async () => {
      const [cache, ...others] = await list();
      expect(others).toEqual([]);
      return cache?.phase === "Ready" && cache.images.length === 2 && cache;
    });
    expect(grown).toMatchObject({ origin: "pod", spec: { images: [main.reference, side.reference] } });

    await removeAllPods(world);
    for (const { id } of [main, side]) await world.crictl.run("rmi", id);
    requests.take();
    const both = { ...auto, "podling.dev/container-images": `${main.reference},${side.reference}` };
    const second = await runPod({ ...both, "k8s.aliyun.com/imc-perfect-match": "true" });
    expect(await cacheOfPod(second.podId)).toMatchObject({
      id: grown.imageCacheId,
      reason: "best of 1 ready image caches: 2 of 2 images",
      images: [{ degree: "full" }, { degree: "full" }],
    });
    expect(await imagesOnNode()).toEqual([main.reference, side.reference]);
    expect(requests.take()).toEqual([]);
  });

  test("hold the wishes for a perfect match or a count against what they have", async () => {
    const [here, other] = [await push("here"), await push("other")];
    const { imageCacheId } = await create("here", "--image", here.reference);
    const auto = {
      "k8s.aliyun.com/eci-auto-imc": "true",
      "podling.dev/container-images": `${here.reference},${other.reference}`,
    };
    const reasonOf = async (annotations: Record<string, string>) => {
      const { id, reason, images } = (await cacheOfPod((await runPod({ ...auto, ...annotations })).podId)) ?? {};
      return [id, reason, images?.map(({ degree }) => degree)];
    };
    const best = `the best image cache, ${imageCacheId}, has 1 of 2 images`;
    expect(await reasonOf({ "k8s.aliyun.com/imc-perfect-match": "true" })).toEqual([
      "",
      `imc-perfect-match: ${best}`,
      ["none", "none"],
    ]);
    expect(await reasonOf({ "k8s.aliyun.com/imc-match-count-request": "2" })).toEqual([
      "",
      `imc-match-count-request: 2 images are asked for, ${best}`,
      ["none", "none"],
    ]);
    expect(await reasonOf({ "k8s.aliyun.com/imc-match-count-request": "1" })).toEqual([
      imageCacheId,
      "best of 1 ready image caches: 1 of 2 images",
      ["full", "none"],
    ]);
    // The layer that both images share is not fetched again.
    requests.take();
    await pull(other.reference);
    expect(blobs(requests.take())).toHaveLength(2);
  });

  test("fail with a reason and leave nothing", async () => {
    const image = await push("whole");
    const missing = `${host}/caches/missing:1`;
    const result = await podling("create", "broken", "--image", image.reference, "--image", missing);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(
      /Image cache "broken" failed: Pulling image "caches\.test\/caches\/missing:1" failed/,
    );
    const cache = await show("broken");
    expect([cache.phase, cache.images]).toEqual(["Failed", []]);
    expect(cache.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      "Normal Creating",
      "Normal ImageCached",
      "Warning Failed",
    ]);
    const after = await hostSnapshot(world.agent);
    for (const kind of ["record in images", "record in snapshots", "record in ingests", "snapshot", "content"]) {
      expect(after.own[kind], kind).toEqual(before.own[kind]);
    }
    // A failed one makes place for a new try of its name.
    expect(await create("broken", "--image", image.reference)).toMatchObject({ phase: "Ready" });
  });

  test("come, change and go with their manifests; a fault changes nothing", async () => {
    const [one, two] = [await push("one"), await push("two")];
    apply("cache.yaml", manifest("shop", [one.reference], "  imageCacheSize: 40\n"));
    const made = await inPhase("shop", "Ready");
    expect(made).toMatchObject({ origin: "manifest", spec: { images: [one.reference], imageCacheSize: 40 } });

    apply("cache.yaml", manifest("shop", [one.reference], "  imageCacheSize: 19\n"));
    await eventually("the fault to be told", () =>
      world.agent.log().includes('ImageCache \\"shop\\": Invalid spec.imageCacheSize: must be 20 GiB or more'),
    );
    expect(await show("shop")).toMatchObject({ phase: "Ready", imageCacheId: made.imageCacheId });

    requests.take();
    apply("cache.yaml", manifest("shop", [two.reference, one.reference]));
    const changed = await eventually("the cache to follow", async () => {
      const cache = await show("shop");
      return cache.phase === "Ready" && cache.images.length === 2 && cache;
    });
    expect(changed.imageCacheId).toBe(made.imageCacheId);
    expect(changed.events.map(({ reason }) => reason)).toContain("Updating");
    // Of two images, one was here and the other has a layer and a configuration of its own.
    expect(blobs(requests.take())).toHaveLength(2);

    // An update that fails keeps what was served.
    apply("cache.yaml", manifest("shop", [two.reference, `${host}/caches/missing:1`]));
    expect(await inPhase("shop", "UpdateFailed")).toMatchObject({ images: [{}, {}] });
    rmSync(join(manifests, "cache.yaml"));
    await eventually("the cache to be gone", async () => (await list()).length === 0);
  });

  test("of private images take their logins from Secrets of the manifests or from the call, and never show them", async () => {
    const image = await push("private", guarded);
    const auths = { [guarded.host]: { username: registryUser, password: registryPassword } };
    const config = Buffer.from(JSON.stringify({ auths })).toString("base64");
    const secret = `apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata: {name: login, namespace: shop}\ndata:\n  .dockerconfigjson: ${config}\n---\n`;
    apply("private.yaml", secret + manifest("private", [image.reference], '  imagePullSecrets: ["shop:login"]\n'));
    await inPhase("private", "Ready");
    apply("none.yaml", manifest("secretless", [image.reference], '  imagePullSecrets: ["shop:other"]\n'));
    const { events } = await inPhase("secretless", "Failed");
    expect(events.at(-1)?.message).toContain('Secret "shop:other" of imagePullSecrets is not among the manifests');

    const file = join(world.agent.instance.scratch, "creds");
    writeFileSync(file, `${registryUser}:${registryPassword}\n`);
    const withCall = await create(
      "by-call",
      "--image",
      image.reference,
      "--server",
      guarded.host,
      "--creds-file",
      file,
    );
    expect(withCall.phase).toBe("Ready");
    const told = [JSON.stringify(await list()), world.agent.log()].join("\n");
    for (const word of [registryPassword, config]) expect(told).not.toContain(word);
  });

  test("beyond the limit take the place of those that may go", async () => {
    const image = await push("many");
    const make = (name: string, ...more: readonly string[]) => create(name, "--image", image.reference, ...more);
    for (const name of ["a", "b"]) await make(name);
    for (const name of ["lru-a", "lru-b", "lru-c"]) await make(name, "--elimination", "LRU");
    // The oldest is used now: it is not the longest unused any more.
    await runPod({ "k8s.aliyun.com/eci-imc-id": (await show("lru-a")).imageCacheId });
    await make("c");
    expect((await list()).map(({ name }) => name)).toEqual(["a", "b", "lru-a", "lru-c", "c"]);
    for (const name of ["d", "e"]) await make(name);
    const refused = await podling("create", "f", "--image", image.reference);
    expect([refused.exitCode, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/at most 5 may be \(images\.caches\.limit\)/),
    ]);
    // The same wish again is the same cache.
    expect((await make("e")).imageCacheId).toBe((await show("e")).imageCacheId);
    const taken = await podling("create", "e", "--image", image.reference, "--size", "30");
    expect(taken.stderr).toContain('Image cache name "e" is taken by');
  });

  test("reuse what others have without asking a registry", async () => {
    const image = await push("reused");
    await create("base", "--image", image.reference);
    requests.take();
    const cache = await create("on-top", "--image", image.reference, "--reuse");
    expect([cache.phase, requests.take()]).toEqual(["Ready", []]);
    // Its images stay when the one they came from goes.
    await done("rm", "base");
    await pull(image.digestReference);
    expect(requests.take()).toEqual([]);
  });

  test.each([
    [["create", "Bad_Name", "--image", "a"], 1, 'Invalid name "Bad_Name": must be 1 to 253 of a-z'],
    [["create", "a", "--image", "UPPER/"], 1, 'Invalid image reference "UPPER/"'],
    [["create", "a", "--image", "a", "--size", "19"], 1, "Invalid spec.image_cache_size 19: must be 20 GiB or more"],
    [["create", "a", "--image", "a", "--retention-days", "99999"], 1, "Invalid spec.retention_days 99999"],
    [
      ["create", "a", "--image", "a", "--elimination", "FIFO"],
      1,
      'Invalid spec.elimination_strategy "FIFO": must be "LRU"',
    ],
    [
      ["create", "a", "--image", "a", "--secret", "plain"],
      1,
      'Invalid spec.image_pull_secrets[0] "plain": must be namespace:secretName',
    ],
    [["create", "a"], 2, "--image"],
    [["show", "nothing"], 1, 'No image cache has the id or name "nothing"'],
  ] as const)("refuse %j", async (argv, exitCode, reason) => {
    const result = await podling(...argv);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, ""]);
    expect(result.stderr).toContain(reason);
    expect(await list()).toEqual([]);
  });
});
