import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { delay } from "../../src/common/deadline.ts";
import { createLog } from "../../src/common/log.ts";
import { defaultLimits, type TransferLimits } from "../../src/images/blob-source.ts";
import { Images } from "../../src/images/images.ts";
import type { PullProgress } from "../../src/images/pull-progress.ts";
import { Database } from "../../src/state/database.ts";
import { buildImage, buildLayer, type Image, type Layer } from "../support/oci-image.ts";
import { pushImage, pushIndex } from "../support/push-image.ts";
import { Registry, registryPassword, registryUser } from "../support/registry.ts";
import { RegistryProxy } from "../support/registry-proxy.ts";
import { ScriptedServer } from "./scripted-server.ts";

const top = mkdtempSync(join(tmpdir(), "podling-images-"));
const limits: TransferLimits = {
  ...defaultLimits,
  stallTimeoutMs: 2_000,
  triesWithoutProgress: 2,
  retryDelayMs: 1,
  maxRetryDelayMs: 50,
};
let registry: Registry;
let base: Image;
let extended: Image;
let root = "";

/** An agent's image part on its own directories; disposing it is the agent's orderly end. */
class World implements AsyncDisposable {
  readonly database: Database;
  readonly images: Images;

  constructor(rootDirectory: string, registryConfigPath: string, transferLimits: TransferLimits) {
    this.database = Database.open(join(rootDirectory, "records.db"));
    this.images = new Images({
      rootDirectory,
      database: this.database,
      log: createLog("silent"),
      snapshotter: "overlay",
      registryConfigPath,
      parallelLayers: 2,
      durable: true,
      limits: transferLimits,
    });
  }

  static async open(
    rootDirectory: string,
    holds: ReadonlyMap<string, readonly string[]> = new Map(),
    configPath = "",
    transferLimits = limits,
  ): Promise<World> {
    const world = new World(rootDirectory, configPath, transferLimits);
    await world.images.recover(holds);
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.images[Symbol.asyncDispose]();
    this.database[Symbol.dispose]();
  }
}

/** What lies under the root: counts of snapshots, contents and unfinished work, and the ids in the records. */
function onDisk(world: World) {
  const count = (path: string) => readdirSync(join(root, path)).length;
  const rows = (table: string) => world.database.all(`SELECT id FROM ${table}`).length;
  return {
    snapshots: [count("snapshots"), rows("snapshots")],
    content: count("content/sha256"),
    ingest: [count("ingest"), rows("ingests")],
    images: rows("images"),
  };
}

const nothing = { snapshots: [0, 0], content: 0, ingest: [0, 0], images: 0 };

const file = (name: string, body: string) => ({ name, body });

beforeAll(async () => {
  registry = await Registry.start({ directory: join(top, "registry") });
  const layers = [
    await buildLayer([{ name: "etc", type: "directory" }, file("etc/one", "1"), file("etc/two", "2")]),
    await buildLayer([file("etc/two", "two")], "zstd"),
  ];
  base = buildImage({ layers, config: { Cmd: ["/bin/true"], User: "1000:1000" } });
  extended = buildImage({ layers: [...layers, await buildLayer([file("etc/three", "3")], "none")], format: "docker" });
  await pushImage(registry, "base", "1", base);
  await pushImage(registry, "base", "2", base);
  await pushImage(registry, "extended", "1", extended);
});

afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(top, { recursive: true, force: true });
});

beforeEach(() => {
  root = mkdtempSync(join(top, "root-"));
});

const name = (rest: string) => `${registry.host}/${rest}`;

function layerFile(world: World, reference: string, path: string): string | undefined {
  const chainId = world.images.resolve(reference)?.chainIds.at(-1) ?? "";
  const directory = world.images.lowerDirectories(chainId).find((lower) => existsSync(join(lower, path)));
  return directory === undefined ? undefined : readFileSync(join(directory, path), "utf8");
}

describe("Images", () => {
  test("pulls an image once, under all its names, and has it after a restart", async () => {
    {
      await using world = await World.open(root);
      const record = await world.images.pull({ reference: name("base:1") });
      expect(record).toMatchObject({
        id: base.config.digest,
        tags: [name("base:1")],
        digests: [name(`base@${base.manifest.digest}`)],
        config: { user: "1000:1000", cmd: ["/bin/true"] },
      });
      expect(record.chainIds).toHaveLength(2);
      const blobs = [...base.layers, base.config, base.manifest].map(({ bytes }) => bytes.length);
      expect(record.sizeBytes).toBe(blobs.reduce((sum, size) => sum + size, 0));
      await world.images.pull({ reference: name("base:2") });
      await world.images.pull({ reference: name(`base@${base.manifest.digest}`) });
      expect(world.images.list()).toHaveLength(1);
      expect(world.images.list()[0]?.tags).toEqual([name("base:1"), name("base:2")]);
      expect(onDisk(world)).toEqual({ snapshots: [2, 2], content: 2, ingest: [0, 0], images: 1 });
    }
    await using world = await World.open(root);
    expect(onDisk(world)).toEqual({ snapshots: [2, 2], content: 2, ingest: [0, 0], images: 1 });
    for (const alias of [name("base:2"), base.config.digest, base.config.digest.slice(7, 20)]) {
      expect(world.images.resolve(alias)?.id).toBe(base.config.digest);
    }
    expect([layerFile(world, base.config.digest, "etc/two"), layerFile(world, base.config.digest, "etc/one")]).toEqual([
      "two",
      "1",
    ]);
  });

  test("shares layers between images, fetches each once, and removes what no image needs", async () => {
    await using world = await World.open(root);
    const events: PullProgress[] = [];
    using _feed = world.images.onPullProgress((event) => events.push(event));
    await Promise.all([
      world.images.pull({ reference: name("base:1") }),
      world.images.pull({ reference: name("extended:1") }),
      world.images.pull({ reference: name("extended:1") }),
    ]);
    expect(onDisk(world)).toMatchObject({ snapshots: [3, 3], images: 2 });
    const downloads = new Set(events.filter(({ phase }) => phase === "downloading").map(({ layer }) => layer));
    expect(downloads).toEqual(new Set(extended.layers.map(({ digest }) => digest)));
    expect(events.filter(({ layer, phase }) => layer === "" && phase === "done")).toHaveLength(2);

    await world.images.remove(name("extended:1"));
    expect(onDisk(world)).toMatchObject({ snapshots: [2, 2], images: 1 });
    await Promise.all([1, 2, 3, 4, 5].map(() => world.images.remove(base.config.digest.slice(7, 20))));
    expect(onDisk(world)).toEqual(nothing);
    expect(world.images.resolve(name("base:1"))).toBeUndefined();
    await world.images.remove(name("base:1"));
  });

  test("a pull of what is there fetches no layer", async () => {
    await using world = await World.open(root);
    await world.images.pull({ reference: name("base:1") });
    const phases: string[] = [];
    using _feed = world.images.onPullProgress(({ phase }) => phases.push(phase));
    await world.images.pull({ reference: name("base:1") });
    expect(phases).toEqual(["resolving", "exists", "exists", "done"]);
  });

  test("keeps the layers of a container after its image is removed, over a restart, until it is released", async () => {
    const holds = new Map<string, readonly string[]>();
    {
      await using world = await World.open(root);
      const { chainIds } = await world.images.pull({ reference: name("base:1") });
      holds.set("container", chainIds.slice(-1));
      world.images.hold("container", chainIds.slice(-1));
      await world.images.remove(name("base:1"));
      expect(world.images.resolve(name("base:1"))).toBeUndefined();
      expect(onDisk(world)).toMatchObject({ snapshots: [2, 2], images: 0, content: 0 });
    }
    await using world = await World.open(root, holds);
    expect(world.images.lowerDirectories(holds.get("container")?.[0] ?? "")).toHaveLength(2);
    await world.images.release("container");
    expect(onDisk(world)).toEqual(nothing);
  });

  test("a moved tag leaves the former image without it", async () => {
    await using world = await World.open(root);
    await pushImage(registry, "moving", "latest", base);
    await world.images.pull({ reference: name("moving") });
    await pushImage(registry, "moving", "latest", extended);
    await world.images.pull({ reference: name("moving") });
    expect(world.images.resolve(name("moving"))?.id).toBe(extended.config.digest);
    expect(world.images.resolve(base.config.digest)).toMatchObject({
      tags: [],
      digests: [name(`moving@${base.manifest.digest}`)],
    });
  });

  test("chooses this machine's image of an index and records the index's digest", async () => {
    await using world = await World.open(root);
    const other = buildImage({ layers: base.layers, architecture: "s390x" });
    const pushed = await pushIndex(registry, "multi", "1", [base, other], "docker");
    const record = await world.images.pull({ reference: pushed.reference });
    expect(record).toMatchObject({ id: base.config.digest, digests: [pushed.digestReference] });
    const foreign = await pushIndex(registry, "foreign", "1", [other]);
    await expect(world.images.pull({ reference: foreign.reference })).rejects.toMatchObject({
      code: "NotFound",
      cause: { message: expect.stringContaining("linux/s390x") },
    });
    const single = await pushImage(registry, "single", "1", other);
    await expect(world.images.pull({ reference: single.reference })).rejects.toMatchObject({ code: "NotFound" });
    expect(onDisk(world)).toMatchObject({ images: 1, ingest: [0, 0], content: 3 });
  });

  test("a deadline of a millisecond ends the call at once and leaves nothing", async () => {
    await using world = await World.open(root);
    const pull = world.images.pull({ reference: name("base:1") }, AbortSignal.timeout(1));
    await expect(pull).rejects.toMatchObject({ code: "DeadlineExceeded" });
    // The next one waits for the roll-back.
    await world.images.pull({ reference: name("base:1") });
    await world.images.remove(name("base:1"));
    expect(onDisk(world)).toEqual(nothing);
  });

  test("the pull goes on for those who stay", async () => {
    await using proxy = await RegistryProxy.start(registry.host);
    proxy.faults = { delayMs: 20 };
    await using world = await World.open(root);
    const reference = `${proxy.host}/base:1`;
    const leaving = world.images.pull({ reference }, AbortSignal.timeout(30));
    const staying = world.images.pull({ reference });
    await expect(leaving).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect((await staying).id).toBe(base.config.digest);
  });

  test("an abandoned pull is rolled back", async () => {
    await using proxy = await RegistryProxy.start(registry.host);
    proxy.faults = { silent: true };
    await using world = await World.open(root);
    const controller = new AbortController();
    const pull = world.images.pull({ reference: `${proxy.host}/base:1` }, controller.signal);
    setTimeout(() => controller.abort(), 50);
    await expect(pull).rejects.toMatchObject({ code: "Cancelled" });
    await delay(200);
    expect(onDisk(world)).toEqual(nothing);
  });
});

describe("Images, when the registry fails or lies", () => {
  async function damaged(repository: string, damage: (digest: string) => void): Promise<string> {
    const layer = await buildLayer([file(repository, "x".repeat(5000))]);
    const image = buildImage({ layers: [...base.layers, layer] });
    const { reference } = await pushImage(registry, repository, "1", image);
    damage(layer.digest);
    return reference;
  }

  test.each<[string, (digest: string) => void]>([
    ["truncated", (digest) => registry.truncateBlob(digest, 20)],
    ["replaced", (digest) => registry.replaceBlob(digest, Buffer.alloc(5000))],
  ])("a %s layer fails the pull and leaves nothing", async (kind, damage) => {
    await using world = await World.open(root);
    const reference = await damaged(kind, damage);
    const failed: PullProgress[] = [];
    using _feed = world.images.onPullProgress((event) => event.phase === "failed" && failed.push(event));
    const failure = await world.images.pull({ reference }).catch((error) => error);
    expect(failure).toMatchObject({ code: "DataLoss", message: `Pulling image "${reference}" failed` });
    expect(failed.map(({ layer }) => layer === "")).toContain(true);
    expect(onDisk(world)).toEqual(nothing);
    expect((await world.images.pull({ reference: name("base:1") })).id).toBe(base.config.digest);
  });

  test.each([
    ["an unknown image", () => name("missing:1"), "NotFound"],
    ["an unknown tag", () => name("base:missing"), "NotFound"],
    ["a registry that is down", () => "127.0.0.1:1/base:1", "RegistryUnavailable"],
    ["no reference", () => "NOT A NAME", "InvalidArgument"],
  ])("%s is a clear error", async (_name, reference, code) => {
    await using world = await World.open(root);
    await expect(world.images.pull({ reference: reference() })).rejects.toMatchObject({ code });
    expect(onDisk(world)).toEqual(nothing);
  });

  test("resumes layers whose connections break", async () => {
    const big = buildImage({ layers: [await buildLayer([file("big", "0123456789abcdef".repeat(200_000))], "none")] });
    await pushImage(registry, "big", "1", big);
    await using proxy = await RegistryProxy.start(registry.host);
    proxy.faults = { cutAfterBytes: 1_000_000, cutConnections: 4 };
    await using world = await World.open(root);
    expect((await world.images.pull({ reference: `${proxy.host}/big:1` })).id).toBe(big.config.digest);
    expect(proxy.sentBytes).toBeLessThan(4_500_000);
  });

  describe("for a reason that may pass", () => {
    let big: Layer;
    let proxy: RegistryProxy;

    beforeEach(async () => {
      big = await buildLayer([file("big", "0123456789abcdef".repeat(200_000))], "none");
      await pushImage(registry, "later", "1", buildImage({ layers: [...base.layers, big] }));
      proxy = await RegistryProxy.start(registry.host);
      proxy.faults = { cutAfterBytes: 1_000_000 };
    });

    afterEach(() => proxy[Symbol.asyncDispose]());

    async function failedPull(): Promise<World> {
      // The pause before the second and last try of the big layer is ample for the small ones to be committed.
      const onceAgain = { ...limits, maxResumes: 1, retryDelayMs: 2_000, maxRetryDelayMs: 2_000 };
      const world = await World.open(root, new Map(), "", onceAgain);
      const pull = world.images.pull({ reference: `${proxy.host}/later:1` });
      await expect(pull).rejects.toMatchObject({ code: "RegistryUnavailable" });
      expect(onDisk(world)).toMatchObject({ images: 0, content: 0, snapshots: [2, 0], ingest: [0, 1] });
      return world;
    }

    test("verified layers are kept for the next try", async () => {
      await using world = await failedPull();
      proxy.faults = {};
      const layers: string[] = [];
      using _feed = world.images.onPullProgress(({ layer, phase }) => phase === "downloading" && layers.push(layer));
      await world.images.pull({ reference: `${proxy.host}/later:1` });
      expect(new Set(layers)).toEqual(new Set([big.digest]));
      expect(onDisk(world)).toMatchObject({ images: 1, snapshots: [3, 3], ingest: [0, 0] });
    });

    test("removing the image takes them away", async () => {
      await using world = await failedPull();
      await world.images.remove(`${proxy.host}/later:1`);
      expect(onDisk(world)).toEqual(nothing);
    });
  });

  test("goes from a broken mirror to the server, by hosts.toml", async () => {
    const configPath = mkdtempSync(join(top, "certs-"));
    mkdirSync(join(configPath, "images.example"));
    writeFileSync(
      join(configPath, "images.example", "hosts.toml"),
      `server = "http://${registry.host}"\n[host."http://127.0.0.1:1"]\ncapabilities = ["pull", "resolve"]\n`,
    );
    await using world = await World.open(root, new Map(), configPath);
    const record = await world.images.pull({ reference: "images.example/base:1" });
    expect(record.tags).toEqual(["images.example/base:1"]);
    writeFileSync(join(configPath, "images.example", "hosts.toml"), "sever = 'x'");
    await expect(world.images.pull({ reference: "images.example/base:2" })).rejects.toMatchObject({
      code: "FailedPrecondition",
      cause: { message: expect.stringContaining("sever") },
    });
  });

  test("pulls with the right password only, and tells neither", async () => {
    await using closed = await Registry.start({ directory: join(top, "closed"), protected: true });
    await pushImage(closed, "secret", "1", base);
    const reference = `${closed.host}/secret:1`;
    await using world = await World.open(root);
    for (const auth of [undefined, { username: registryUser, password: "wr0ng" }]) {
      const failure = await world.images.pull({ reference, ...(auth && { auth }) }).catch((error) => error);
      expect(failure).toMatchObject({ code: "Unauthenticated" });
      expect(JSON.stringify([failure.message, failure.cause?.message])).not.toContain("wr0ng");
    }
    const record = await world.images.pull({ reference, auth: { username: registryUser, password: registryPassword } });
    expect(record.id).toBe(base.config.digest);
  });

  test("renews a token that ran out before the layers were fetched", async () => {
    const parts = new Map([...base.layers, base.config].map((part) => [`/v2/app/blobs/${part.digest}`, part]));
    let current = "one";
    await using server: ScriptedServer = await ScriptedServer.start((request, response) => {
      if (request.path.startsWith("/token")) return void response.end(JSON.stringify({ token: current }));
      const part = parts.get(request.path);
      if (base.layers.some(({ digest }) => part?.digest === digest) && current === "one") current = "two";
      if (request.headers.authorization !== `Bearer ${current}`) {
        return void response.writeHead(401, { "www-authenticate": `Bearer realm="${server.url}/token"` }).end();
      }
      const { bytes, mediaType } = part ?? base.manifest;
      return void response.writeHead(200, { "content-type": mediaType }).end(bytes);
    });
    await using world = await World.open(root);
    expect((await world.images.pull({ reference: `${server.host}/app:1` })).id).toBe(base.config.digest);
    expect(server.requests.filter(({ path }) => path.startsWith("/token"))).toHaveLength(2);
  });
});
