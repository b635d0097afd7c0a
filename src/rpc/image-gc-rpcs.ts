import type { AdminServiceHandlers } from "../generated/podling/v1/AdminService.ts";
import type { CollectImagesResponse } from "../generated/podling/v1/CollectImagesResponse.ts";
import type { GcReport } from "../images/image-gc.ts";
import type { Images } from "../images/images.ts";
import { checkName } from "./field-checks.ts";
import { invalid } from "./field-error.ts";
import type { Rpcs } from "./serve.ts";

export interface ImageGcRpcDeps {
  readonly images: Pick<Images, "setPinned" | "lease"> & {
    readonly gc: { explain(): Promise<GcReport>; collect(): Promise<GcReport> };
  };
}

const longestLeaseSeconds = 365 * 86_400;

/** The part of AdminService that is about what becomes of unused images. */
export function imageGcRpcs({ images }: ImageGcRpcDeps) {
  return {
    CollectImages: async ({ dry_run }) => encodeReport(await (dry_run ? images.gc.explain() : images.gc.collect())),
    PinImage: ({ image, pinned }) => {
      const found = images.setPinned(checkName("image", image), pinned);
      return { id: found.id, pinned: found.pinned };
    },
    LeaseImage: ({ image, duration_seconds }) => {
      const seconds = Number(duration_seconds);
      if (seconds < 1 || seconds > longestLeaseSeconds) {
        throw invalid("duration_seconds", duration_seconds, `must be from 1 to ${longestLeaseSeconds}`);
      }
      const { id, until } = images.lease(checkName("image", image), seconds * 1000);
      return { id, expires_at: String(Math.floor(Date.parse(until) / 1000)) };
    },
  } satisfies Partial<Rpcs<AdminServiceHandlers>>;
}

function encodeReport({ fileSystem, decisions, missingBytes, failures }: GcReport): CollectImagesResponse {
  return {
    capacity_bytes: String(fileSystem.capacityBytes),
    available_bytes: String(fileSystem.availableBytes),
    decisions: decisions.map(({ id, name, action, reason, detail, idleMs, freesBytes }) => ({
      id,
      name,
      removed: action === "remove",
      reason,
      detail,
      idle_seconds: String(Math.floor(idleMs / 1000)),
      frees_bytes: String(freesBytes),
      error: failures.get(id) ?? "",
    })),
    missing_bytes: String(missingBytes),
  };
}
