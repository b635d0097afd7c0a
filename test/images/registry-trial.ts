import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { AgentError, type ErrorCode, errorText } from "../../src/common/errors.ts";
import type { Log } from "../../src/common/log.ts";
import { defaultLimits, type TransferLimits } from "../../src/images/blob-source.ts";
import type { ImageRecord } from "../../src/images/image-record.ts";
import { Images } from "../../src/images/images.ts";
import type { RegistryCredentials } from "../../src/images/registry-credentials.ts";
import { toStatus } from "../../src/rpc/status.ts";
import { Database } from "../../src/state/database.ts";
import { buildImage, buildLayer, type Image } from "../support/oci-image.ts";
import { type Behaviour, RegistryDouble } from "./registry-double.ts";
import { type ListedNode, listTree } from "./tree-listing.ts";

/** What a case of a misbehaving registry may use. */
export interface Scene {
  /** The registry that is pulled from. */
  readonly double: RegistryDouble;
  /** A server at another address of this machine: what the registry may point at. Honest unless told otherwise. */
  readonly other: RegistryDouble;
  /** A registry at an address that is not loopback; undefined where the machine has none. */
  readonly outside: RegistryDouble | undefined;
  readonly image: Image;
  /** Shown to nobody but the registry they are for. */
  readonly secrets: Readonly<Record<"password" | "identityToken" | "registryToken" | "header" | "signature", string>>;
}

/** One way for a registry to misbehave, and how a pull from it must end. */
export interface RegistryCase {
  readonly name: string;
  readonly behave: (scene: Scene) => Behaviour;
  /** The registry asked. Default `double`. */
  readonly from?: (scene: Scene) => RegistryDouble;
  /** What to pull. Default the tag. */
  readonly by?: "tag" | "digest";
  /** Credentials of the pull, meant for the registry asked. Default "password". */
  readonly as?: "nobody" | "password" | "identityToken" | "registryToken";
  /** hosts.toml of the registry asked. */
  readonly hostsToml?: (scene: Scene) => string;
  /** The pull succeeds, with every byte right; or fails with a code and words that name what happened. */
  readonly verdict: "pulled" | { readonly code: ErrorCode; readonly says: RegExp };
  /** Most requests the registry may see. */
  readonly atMost?: number;
  /** What must be seen besides, once the pull has ended. */
  readonly seen?: (scene: Scene) => void;
  /** Servers that may see secrets besides the registry asked. */
  readonly trusted?: (scene: Scene) => readonly RegistryDouble[];
  readonly needsOutside?: boolean;
  /** Whether it can't be made good: then another registry is pulled from afterwards. */
  readonly staysBad?: boolean;
}

const limits: TransferLimits = {
  headersTimeoutMs: 300,
  stallTimeoutMs: 300,
  documentTimeoutMs: 2_000,
  rateWindowMs: 600,
  minBytesPerSecond: defaultLimits.minBytesPerSecond,
  triesWithoutProgress: 2,
  maxResumes: 20,
  retryDelayMs: 1,
  maxRetryDelayMs: 1_200,
};

/** Pulls from misbehaving registries, each time with the same image part, as an agent would over its life. */
export class RegistryTrial implements AsyncDisposable {
  readonly scene: Scene;
  readonly #top: string;
  readonly #root: string;
  readonly #images: Images;
  readonly #database: Database;
  readonly #told: string[] = [];
  readonly #canary: string;
  readonly #canaryBefore: Map<string, ListedNode>;

  private constructor(top: string, scene: Scene) {
    this.scene = scene;
    this.#top = top;
    this.#root = join(top, "root");
    this.#canary = join(top, "canary");
    mkdirSync(join(this.#canary, "sub"), { recursive: true, mode: 0o700 });
    writeFileSync(join(this.#canary, "sub/file"), "untouched", { mode: 0o600 });
    this.#canaryBefore = listTree(this.#canary);
    mkdirSync(this.#root);
    this.#database = Database.open(join(this.#root, "records.db"));
    this.#images = new Images({
      rootDirectory: this.#root,
      database: this.#database,
      log: recordingLog(this.#told),
      snapshotter: "overlay",
      registryConfigPath: join(top, "certs.d"),
      parallelLayers: 2,
      durable: false,
      limits,
    });
    this.#images.onPullProgress((event) => this.#told.push(JSON.stringify(event)));
  }

  static async start(): Promise<RegistryTrial> {
    mkdirSync("/var/tmp/podling-test", { recursive: true });
    const top = mkdtempSync("/var/tmp/podling-test/registry-");
    const secret = (what: string) => `${what}-${randomBytes(9).toString("hex")}`;
    const secrets = {
      password: secret("password"),
      identityToken: secret("identity"),
      registryToken: secret("registry"),
      header: secret("header"),
      signature: secret("signature"),
    };
    const image = await sampleImage();
    const options = { image, login: { username: "pod-user", password: secrets.password } };
    const address = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find((found) => found.family === "IPv4" && !found.internal && !found.address.startsWith("169.254."))?.address;
    const trial = new RegistryTrial(top, {
      double: await RegistryDouble.start(options),
      other: await RegistryDouble.start({ ...options, address: "127.0.0.2" }),
      outside: address === undefined ? undefined : await RegistryDouble.start({ ...options, address }),
      image,
      secrets,
    });
    await trial.#images.recover(new Map());
    return trial;
  }

  /** Where a file of a case can lie, such as a certificate. */
  get directory(): string {
    return this.#top;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#images[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
    const { double, other, outside } = this.scene;
    for (const server of [double, other, outside]) await server?.[Symbol.asyncDispose]();
    rmSync(this.#top, { recursive: true, force: true });
  }

  /** Pulls as the case says, holds the outcome against its verdict, and pulls again from the same registry, now good. */
  async run(testCase: RegistryCase): Promise<void> {
    const { scene } = this;
    const registry = testCase.from?.(scene) ?? scene.double;
    const reference = this.#reference(registry, testCase);
    const auth = credentials(testCase.as ?? "password", registry, scene);
    for (const server of [scene.double, scene.other, scene.outside]) server?.behave();
    this.#told.length = 0;
    this.#configure(registry, testCase);
    registry.behave(testCase.behave(scene));

    const outcome = await this.#images.pull({ reference, ...(auth && { auth }) }).then(
      (record) => record,
      (error: unknown) => error,
    );
    if (testCase.verdict === "pulled") this.#expectWhole(outcome);
    else
      expect(told(outcome)).toEqual({
        code: testCase.verdict.code,
        text: expect.stringMatching(testCase.verdict.says),
      });
    testCase.seen?.(scene);
    if (testCase.atMost !== undefined) expect(registry.requests.length).toBeLessThanOrEqual(testCase.atMost);
    this.#expectNothingTold(outcome, registry, testCase.trusted?.(scene) ?? []);
    await this.#expectUnharmed(reference);

    registry.behave();
    for (const server of [scene.double, scene.other, scene.outside]) server?.behave();
    const next = testCase.staysBad === true ? `${scene.double.host}/next:1` : reference;
    if (testCase.staysBad === true) rmSync(join(this.#top, "certs.d"), { recursive: true });
    this.#expectWhole(await this.#images.pull({ reference: next, ...(auth && { auth }) }));
    await this.#expectUnharmed(next);
  }

  #reference(registry: RegistryDouble, { by = "tag", name }: RegistryCase): string {
    const repository = `app-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
    return `${registry.host}/${repository}${by === "tag" ? ":1" : `@${this.scene.image.manifest.digest}`}`;
  }

  #configure(registry: RegistryDouble, { hostsToml }: RegistryCase): void {
    rmSync(join(this.#top, "certs.d"), { recursive: true, force: true });
    const text = hostsToml?.(this.scene) ?? `server = "${registry.url}"\n`;
    mkdirSync(join(this.#top, "certs.d", registry.host), { recursive: true });
    writeFileSync(join(this.#top, "certs.d", registry.host, "hosts.toml"), text);
  }

  #expectWhole(outcome: unknown): void {
    if (outcome instanceof Error) throw new Error(`The pull failed: ${errorText(outcome)}`, { cause: outcome });
    const record = outcome as ImageRecord;
    expect(record.id).toBe(this.scene.image.config.digest);
    const directories = this.#images.lowerDirectories(record.chainIds.at(-1) ?? "");
    const hashes = ["small", "big"].map((name) => {
      const directory = directories.find((lower) => existsSync(join(lower, name)));
      return directory === undefined ? undefined : contentHash(readFileSync(join(directory, name)));
    });
    expect(hashes).toEqual([smallBody, bigBody].map(contentHash));
  }

  /** No secret in an error, a log line, a progress event or a file, nor in what another server got. */
  #expectNothingTold(outcome: unknown, registry: RegistryDouble, trusted: readonly RegistryDouble[]): void {
    const { double, other, outside, secrets } = this.scene;
    const strangers = [double, other, outside].filter(
      (server) => server !== undefined && server !== registry && !trusted.includes(server),
    );
    const received = strangers.flatMap((server) =>
      (server?.requests ?? []).map(({ path, headers, body }) => JSON.stringify([path, headers, body])),
    );
    const files = globSync("**/*", { cwd: this.#root, withFileTypes: true }).filter((entry) => entry.isFile());
    const written = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    const thrown = outcome instanceof Error ? [errorText(outcome), toStatus(outcome).details, stacks(outcome)] : [];
    const tokens = [double, other, outside].flatMap((server) => (server === undefined ? [] : [server.token]));
    const encoded = [double.basic.slice(6), secrets.password, secrets.identityToken, secrets.registryToken];
    // Signed URLs are for whom the registry sends us to, and the header is for mirrors too: told nowhere else.
    const forbidden = [...encoded, ...tokens];
    for (const secret of forbidden) {
      expect(received.filter((text) => text.includes(secret))).toEqual([]);
    }
    for (const secret of [...forbidden, secrets.signature, secrets.header]) {
      expect([...thrown, ...this.#told, ...written].filter((text) => text.includes(secret))).toEqual([]);
    }
  }

  /** Nothing of the pull is left once its reference is removed, and nothing beside the root has changed. */
  async #expectUnharmed(reference: string): Promise<void> {
    await this.#images.remove(reference);
    const count = (path: string) => readdirSync(join(this.#root, path)).length;
    const rows = (table: string) => this.#database.all(`SELECT id FROM ${table}`).length;
    expect({
      images: rows("images"),
      snapshots: [count("snapshots"), rows("snapshots")],
      content: count("content/sha256"),
      ingest: [count("ingest"), rows("ingests")],
    }).toEqual({ images: 0, snapshots: [0, 0], content: 0, ingest: [0, 0] });
    expect(listTree(this.#canary)).toEqual(this.#canaryBefore);
    expect(readdirSync(this.#top).filter((name) => !["canary", "certs.d", "root", "tls"].includes(name))).toEqual([]);
  }
}

const smallBody = Buffer.from("small");
const bigBody = randomBytes(300_000);

/** Two layers: a small one, and one that takes several packets. */
async function sampleImage(): Promise<Image> {
  return buildImage({
    layers: [
      await buildLayer([{ name: "small", body: smallBody }]),
      await buildLayer([{ name: "big", body: bigBody }], "none"),
    ],
  });
}

function credentials(
  as: NonNullable<RegistryCase["as"]>,
  registry: RegistryDouble,
  { secrets }: Scene,
): RegistryCredentials | undefined {
  const serverAddress = registry.host;
  switch (as) {
    case "nobody":
      return undefined;
    case "password":
      return { serverAddress, username: "pod-user", password: secrets.password };
    default:
      return { serverAddress, [as]: secrets[as] };
  }
}

function told(outcome: unknown): object {
  if (!(outcome instanceof AgentError)) return { code: "none", text: JSON.stringify(outcome) };
  return { code: outcome.code, text: toStatus(outcome).details };
}

function stacks(error: unknown): string {
  return error instanceof Error ? `${error.stack}\n${stacks(error.cause)}` : String(error);
}

function contentHash(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A log that keeps what it is told, before any redaction. */
function recordingLog(lines: string[]): Log {
  const record = (fields: object, msg: string) => void lines.push(JSON.stringify([msg, fields]));
  const log: Log = { debug: record, info: record, warn: record, error: record, child: () => log };
  return log;
}
