import { failpoint } from "../common/failpoint.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { Ingests } from "./ingests.ts";
import { formatReference, parseReference } from "./reference.ts";

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
  const { catalogue, ingests } = dependencies;
  const image = catalogue.resolve(reference);
  if (image !== undefined) {
    failpoint("remove.image-intent");
    catalogue.remove(image.id);
    failpoint("remove.image-record");
  }
  // What failed pulls have kept for another try must not outlive the wish to have the image gone.
  const names = image === undefined ? canonicalNames(reference) : [...image.tags, ...image.digests];
  ingests.abandon(catalogue.list().length === 0 ? undefined : names);
  await dependencies.collect();
  failpoint("remove.image-layers");
}

function canonicalNames(reference: string): readonly string[] {
  try {
    return [formatReference(parseReference(reference))];
  } catch {
    return [];
  }
}
