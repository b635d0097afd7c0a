import { status } from "@grpc/grpc-js";
import { type Command, InvalidArgumentError } from "commander";
import { AgentError } from "../common/errors.ts";
import type { DeleteImageCacheResponse__Output } from "../generated/podling/v1/DeleteImageCacheResponse.ts";
import type { ImageCache__Output } from "../generated/podling/v1/ImageCache.ts";
import type { ImageCacheChange__Output } from "../generated/podling/v1/ImageCacheChange.ts";
import type { ListImageCachesResponse__Output } from "../generated/podling/v1/ListImageCachesResponse.ts";
import { AgentClient, soon } from "./agent-client.ts";
import { type CacheRow, cacheColumns, cacheRow, cacheText } from "./cache-view.ts";
import { type ClientOptions, clientCommand } from "./client-options.ts";
import { readCredentials } from "./credentials.ts";
import { formatRows, formatValue } from "./output.ts";

/** Removing the layers of many images takes its time. */
const deletionTimeoutMs = 10 * 60_000;

interface CreateOptions extends ClientOptions {
  readonly image: readonly string[];
  readonly size?: number;
  readonly retentionDays?: number;
  readonly reuse: boolean;
  readonly elimination?: string;
  readonly secret: readonly string[];
  readonly credsFile?: string;
  readonly server?: string;
  readonly wait: boolean;
}

/** `caches` and what is below it. */
export function addCaches(program: Command): void {
  const caches = program.command("caches").description("list, make and delete image caches");
  addList(caches);
  addCreate(caches);
  addShow(caches);
  addRemove(caches);
}

function addList(caches: Command): void {
  clientCommand(caches.command("ls", { isDefault: true }).alias("list"))
    .description("list the image caches")
    .action(async ({ address, output }: ClientOptions) => {
      using client = new AgentClient(address);
      const { image_caches } = await client.ask<ListImageCachesResponse__Output>((done) =>
        client.admin.ListImageCaches({}, soon(), done),
      );
      process.stdout.write(formatRows(output, image_caches.map(cacheRow), cacheColumns(Date.now())));
    });
}

function addCreate(caches: Command): void {
  const collect = (value: string, before: readonly string[] = []) => [...before, value];
  clientCommand(caches.command("create"))
    .description("have images kept ready for pods, and wait until they are")
    .argument("<name>", "the cache's name")
    .requiredOption("--image <ref>", "an image to hold; once for each", collect)
    .option("--size <GiB>", "what the unpacked images may take (default: 20)", readNumber)
    .option("--retention-days <days>", "when the cache goes (default: never)", readNumber)
    .option("--reuse", "take images that other caches have without asking their registries", false)
    .option("--elimination <strategy>", "LRU: may go when there is no room for another cache (default: never)")
    .option("--secret <namespace:name>", "a Secret of the node's manifests; once for each", collect, [])
    .option("--creds-file <file>", "a file whose first line is name:password, - for standard input; with --server")
    .option("--server <host>", "the registry that the credentials are for")
    .option("--no-wait", "return when the wish is recorded")
    .action(async (name: string, options: CreateOptions) => {
      using client = new AgentClient(options.address);
      const created = await create(client, name, options);
      const cache = options.wait ? await settled(client, created.image_cache_id) : created;
      const row = cacheRow(cache);
      const line = `${row.imageCacheId}  ${row.phase}\n`;
      process.stdout.write(options.output === "table" ? line : formatValue(options.output, row));
      if (row.phase === "Failed") throw new AgentError("Internal", `Image cache "${name}" failed: ${lastWords(row)}`);
    });
}

function create(client: AgentClient, name: string, options: CreateOptions): Promise<ImageCache__Output> {
  const { image, size = 0, retentionDays = 0, reuse, elimination = "", secret, credsFile, server } = options;
  const credentials = server === undefined ? undefined : readCredentials(credsFile, process.env);
  if (credsFile !== undefined && server === undefined) {
    throw new AgentError("InvalidArgument", "--creds-file needs --server, the registry that the credentials are for");
  }
  const request = {
    name,
    spec: {
      images: [...image],
      image_pull_secrets: [...secret],
      image_cache_size: size,
      retention_days: retentionDays,
      reuse,
      elimination_strategy: elimination,
    },
    image_registry_credentials:
      credentials === undefined
        ? []
        : [{ server: server ?? "", user_name: credentials.username, password: credentials.password }],
  };
  return client.ask<ImageCache__Output>((done) => client.admin.CreateImageCache(request, soon(), done));
}

/** Waits until the cache is made or has failed, and says how far it is. @throws AgentError */
async function settled(client: AgentClient, id: string): Promise<ImageCache__Output> {
  const call = client.admin.WatchImageCaches({ image_cache: id });
  const { promise, resolve, reject } = Promise.withResolvers<ImageCache__Output>();
  let shown = "";
  call.on("data", ({ image_cache: cache, deleted }: ImageCacheChange__Output) => {
    if (deleted || cache === null) return reject(new AgentError("NotFound", "The image cache was deleted meanwhile"));
    const line = `${cache.phase} ${cache.progress}`;
    if (line !== shown) process.stderr.write(`${line}\n`);
    shown = line;
    if (["Ready", "Failed", "UpdateFailed"].includes(cache.phase)) resolve(cache);
  });
  call.on("error", (error: Parameters<AgentClient["explain"]>[0]) => reject(client.explain(error)));
  call.on("end", () =>
    reject(new AgentError("Unavailable", "The agent ended the watch: ask again with podling caches show")),
  );
  try {
    return await promise;
  } finally {
    call.cancel();
  }
}

function addShow(caches: Command): void {
  clientCommand(caches.command("show"))
    .description("show an image cache with its images and events")
    .argument("<cache>", "its id or name")
    .action(async (cache: string, { address, output }: ClientOptions) => {
      using client = new AgentClient(address);
      const found = await client.ask<ImageCache__Output>((done) =>
        client.admin.GetImageCache({ image_cache: cache }, soon(), done),
      );
      const row = cacheRow(found);
      process.stdout.write(output === "table" ? cacheText(row) : formatValue(output, row));
    });
}

function addRemove(caches: Command): void {
  clientCommand(caches.command("rm"))
    .description("delete image caches; containers keep what they are made of")
    .argument("<cache...>", "ids or names")
    .action(async (names: readonly string[], { address }: ClientOptions) => {
      using client = new AgentClient(address);
      for (const name of names) {
        // To the agent what is missing is deleted; to whoever typed a name wrongly it is not.
        await client.ask<unknown>((done) =>
          client.admin.GetImageCache({ image_cache: name }, soon(), (error) => {
            // One whose record can't be read is there, and may be given up.
            if (error === null || error.code === status.DATA_LOSS) done(null, name);
            else done(error);
          }),
        );
        const deadline = Date.now() + deletionTimeoutMs;
        await client.ask<DeleteImageCacheResponse__Output>((done) =>
          client.admin.DeleteImageCache({ image_cache: name }, { deadline }, done),
        );
        process.stdout.write(`${name}\n`);
      }
    });
}

function lastWords({ events }: CacheRow): string {
  return events.at(-1)?.message ?? "it does not say why";
}

function readNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("A whole number is wanted.");
}
