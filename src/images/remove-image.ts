import { failpoint } from "../common/failpoint.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { Ingests } from "./ingests.ts";

export interface RemoveDependencies {
  readonly catalogue: ImageCatalogue;
  readonly ingests: Ingests;
  /** Removes snapshots and content that nobody needs. */
  readonly collect: () => Promise<void>;
}

/**
 * Removes the image a reference stands for, with all its names. The record goes first and at once, so that no caller sees a
 * half-removed image; the layers follow, except those that other images, pulls or containers need.
 * Nothing there counts as done, as CRI asks (api.proto, RemoveImage).
 */
export async function removeImage(dependencies: RemoveDependencies, reference: string): Promise<void> {
  const image = dependencies.catalogue.resolve(reference);
  // What failed pulls have kept would otherwise stay after everything visible is gone.
  dependencies.ingests.abandon(undefined);
  if (image !== undefined) {
    failpoint("remove.image-intent");
    dependencies.catalogue.remove(image.id);
    failpoint("remove.image-record");
  }
  await dependencies.collect();
  failpoint("remove.image-layers");
}
