import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "../common/duration.ts";
import { AgentError } from "../common/errors.ts";
import type { CollectImagesResponse__Output } from "../generated/podling/v1/CollectImagesResponse.ts";
import type { LeaseImageResponse__Output } from "../generated/podling/v1/LeaseImageResponse.ts";
import type { PinImageResponse__Output } from "../generated/podling/v1/PinImageResponse.ts";
import { AgentClient, soon } from "./agent-client.ts";
import { type ClientOptions, clientCommand } from "./client-options.ts";
import { collectionRows, collectionText } from "./image-gc-view.ts";
import { imageColumns, listImages } from "./list-commands.ts";
import { formatRows, formatValue } from "./output.ts";

/** Removing the layers of many images takes its time. */
const collectionTimeoutMs = 10 * 60_000;

/** `images` and what is below it. */
export function addImages(program: Command): void {
  const images = program.command("images").description("list the images, or say what becomes of them");
  clientCommand(images.command("list", { isDefault: true }))
    .description("list the images")
    .action(async ({ address, output }: ClientOptions) => {
      using client = new AgentClient(address);
      process.stdout.write(formatRows(output, await listImages(client), imageColumns));
    });
  addGc(images);
  addPin(images, "pin", true, "keep an image from being collected");
  addPin(images, "unpin", false, "end a pin");
  addLease(images);
}

function addGc(images: Command): void {
  clientCommand(images.command("gc"))
    .description("remove the unused images that [images.gc] gives up, and say why the others stay")
    .option("--dry-run", "remove nothing, only say what would become of each image", false)
    .action(async ({ address, output, dryRun }: ClientOptions & { readonly dryRun: boolean }) => {
      using client = new AgentClient(address);
      const deadline = Date.now() + collectionTimeoutMs;
      const report = await client.ask<CollectImagesResponse__Output>((done) =>
        client.admin.CollectImages({ dry_run: dryRun }, { deadline }, done),
      );
      const rows = collectionRows(report, dryRun);
      process.stdout.write(output === "table" ? collectionText(report, dryRun) : formatValue(output, rows));
      const failed = rows.filter(({ error }) => error !== "");
      if (failed.length > 0) throw new AgentError("Internal", `${failed.length} images could not be removed`);
    });
}

function addPin(images: Command, name: string, pinned: boolean, description: string): void {
  clientCommand(images.command(name))
    .description(description)
    .argument("<image>", "a name or id of the image")
    .action(async (image: string, { address, output }: ClientOptions) => {
      using client = new AgentClient(address);
      const answer = await client.ask<PinImageResponse__Output>((done) =>
        client.admin.PinImage({ image, pinned }, soon(), done),
      );
      const still = answer.pinned && !pinned ? ", still pinned by the configuration" : "";
      process.stdout.write(output === "table" ? `${answer.id}${still}\n` : formatValue(output, answer));
    });
}

function addLease(images: Command): void {
  clientCommand(images.command("lease"))
    .description("keep an image from being collected for a while")
    .argument("<image>", "a name or id of the image")
    .requiredOption("--for <duration>", 'how long, such as "90m" or "48h"', readSeconds)
    .action(async (image: string, options: ClientOptions & { readonly for: number }) => {
      using client = new AgentClient(options.address);
      const { id, expires_at } = await client.ask<LeaseImageResponse__Output>((done) =>
        client.admin.LeaseImage({ image, duration_seconds: options.for }, soon(), done),
      );
      const until = new Date(Number(expires_at) * 1000).toISOString();
      process.stdout.write(
        options.output === "table" ? `${id} until ${until}\n` : formatValue(options.output, { id, until }),
      );
    });
}

function readSeconds(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined || durationMs < 1000) throw new InvalidArgumentError('"90m" or "48h" is a duration.');
  return Math.ceil(durationMs / 1000);
}
