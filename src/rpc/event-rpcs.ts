import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { EventFanOut } from "../sandbox/event-fan-out.ts";
import { encodeEvent } from "./encode-event.ts";
import type { Rpcs } from "./serve.ts";

export interface EventRpcDeps {
  readonly events: Pick<EventFanOut, "subscribe">;
}

/** GetContainerEvents of RuntimeService. */
export function eventRpcs({ events }: EventRpcDeps) {
  return {
    async *GetContainerEvents(_request, { signal }) {
      for await (const event of events.subscribe(signal)) yield encodeEvent(event);
    },
  } satisfies Rpcs<RuntimeServiceHandlers, "GetContainerEvents">;
}
