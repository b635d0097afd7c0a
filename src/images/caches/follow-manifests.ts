import { existsSync } from "node:fs";
import type { ImageCacheManifest } from "../../manifests/image-cache.ts";
import type { ManifestDirectory } from "../../manifests/manifest-directory.ts";
import type { ImageCaches } from "./image-caches.ts";
import type { CacheRequest } from "./plan-image-cache.ts";

/**
 * Makes the caches of manifests those that the manifests ask for, now and with every change. A cache goes only when its
 * manifest is known to be gone: not while the manifests have a fault, and not when their directory is missing.
 * @param directory of the manifests
 * @returns ends it
 */
export function followManifests(caches: ImageCaches, manifests: ManifestDirectory, directory: string): Disposable {
  const follow = () => {
    if (manifests.fault !== undefined || !existsSync(directory)) return;
    caches.followManifests(manifests.current.imageCaches.map(requestOf));
  };
  follow();
  return manifests.onChange(follow);
}

function requestOf({ name, spec, reuse }: ImageCacheManifest): CacheRequest {
  return { name, origin: "manifest", spec: { ...spec, reuse, eliminationStrategy: "" } };
}
