import type { AuthConfig__Output } from "../generated/runtime/v1/AuthConfig.ts";
import type { ImageServiceHandlers } from "../generated/runtime/v1/ImageService.ts";
import type { ImageSpec__Output } from "../generated/runtime/v1/ImageSpec.ts";
import type { PodSandboxConfig__Output } from "../generated/runtime/v1/PodSandboxConfig.ts";
import type { PullingPod } from "../images/credentials/credential-source.ts";
import type { ImageRecord } from "../images/image-record.ts";
import type { Images } from "../images/images.ts";
import type { RegistryCredentials } from "../images/registry-credentials.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { batches } from "./batches.ts";
import { describeImage, encodeFilesystem, encodeImage } from "./encode-image.ts";
import { checkName } from "./field-checks.ts";
import { invalid } from "./field-error.ts";
import type { Rpcs } from "./serve.ts";
import { verboseInfo } from "./verbose-info.ts";

export interface ImageRpcDeps {
  readonly images: Pick<Images, "pull" | "resolve" | "list" | "remove" | "fsInfo">;
  readonly sandboxes: Pick<SandboxService, "handlers">;
}

/** ImageService. */
export function imageRpcs({ images, sandboxes }: ImageRpcDeps) {
  const list = (image: ImageSpec__Output | null): readonly ImageRecord[] => {
    if (image === null || image.image === "") return images.list();
    const found = images.resolve(image.image);
    return found === undefined ? [] : [found];
  };
  return {
    ListImages: ({ filter }) => ({ images: list(filter?.image ?? null).map(encodeImage) }),
    *StreamImages({ filter }) {
      for (const batch of batches(list(filter?.image ?? null))) yield { images: batch.map(encodeImage) };
    },
    ImageStatus: ({ image, verbose }) => {
      const found = images.resolve(referenceOf(image));
      if (found === undefined) return { image: null };
      return { image: encodeImage(found), ...(verbose ? verboseInfo(describeImage(found)) : {}) };
    },
    PullImage: async ({ image, auth, sandbox_config }, { signal }) => {
      const reference = referenceOf(image);
      checkHandler(image?.runtime_handler ?? "", sandboxes.handlers().names);
      const credentials = decodeAuth(auth);
      const pulled = await images.pull(
        { reference, pod: decodePod(sandbox_config), ...(credentials === undefined ? {} : { auth: credentials }) },
        signal,
      );
      return { image_ref: pulled.id };
    },
    RemoveImage: async ({ image }) => {
      await images.remove(referenceOf(image));
      return {};
    },
    ImageFsInfo: async () => {
      const usage = encodeFilesystem(await images.fsInfo());
      return { image_filesystems: [usage], container_filesystems: [usage] };
    },
  } satisfies Rpcs<ImageServiceHandlers>;
}

function referenceOf(image: ImageSpec__Output | null): string {
  return checkName("image.image", image?.image ?? "");
}

function checkHandler(name: string, handlers: readonly string[]): void {
  if (name !== "" && !handlers.includes(name)) {
    throw invalid("image.runtime_handler", name, `must be one of ${handlers.join(", ")}`);
  }
}

/** CRI does not tell the service account. */
function decodePod(config: PodSandboxConfig__Output | null): PullingPod {
  return { namespace: config?.metadata?.namespace ?? "", serviceAccount: "", annotations: config?.annotations ?? {} };
}

function decodeAuth(auth: AuthConfig__Output | null): RegistryCredentials | undefined {
  if (auth === null) return undefined;
  const parts = {
    username: auth.username,
    password: auth.password,
    auth: auth.auth,
    serverAddress: auth.server_address,
    identityToken: auth.identity_token,
    registryToken: auth.registry_token,
  };
  return Object.fromEntries(Object.entries(parts).filter(([, text]) => text !== ""));
}
