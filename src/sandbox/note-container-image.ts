import { errorText } from "../common/errors.ts";
import type { SandboxId } from "../common/ids.ts";
import type { ContainerSpec } from "./container-spec.ts";
import type { SandboxDeps } from "./deps.ts";

/**
 * Holds a container's image against the image caches, where the pod asks for that: CRI tells a pod's images only with its
 * containers. The caller holds the sandbox's lock. Never throws, as the container itself is made already.
 */
export function noteContainerImage(
  { sandboxes, images, imageCaches, log }: Pick<SandboxDeps, "sandboxes" | "images" | "imageCaches" | "log">,
  sandboxId: SandboxId,
  spec: ContainerSpec,
): void {
  try {
    const record = sandboxes.find(sandboxId);
    const image = images.resolve(spec.image);
    if (record?.imageCache === undefined || image === undefined) return;
    const imageCache = imageCaches.withImage(record.imageCache, spec.userSpecifiedImage || spec.image, image);
    if (imageCache !== record.imageCache) sandboxes.put({ ...record, imageCache });
  } catch (error) {
    log.warn({ sandboxId, error: errorText(error) }, "a container's image can't be held against image caches");
  }
}
