import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Images } from "../images/images.ts";
import type { EventFanOut } from "../sandbox/event-fan-out.ts";
import { shownContainerState, shownSandboxState } from "../sandbox/record-filter.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import type { TextFamily } from "./prometheus-text.ts";
import type { RpcMetrics } from "./rpc-metrics.ts";

export interface AgentMetricsDeps {
  readonly about: { readonly instance: string; readonly version: string; readonly profile: string };
  readonly sandboxes: Pick<SandboxService, "listSandboxes" | "listContainers" | "status">;
  readonly images: Pick<Images, "list" | "onPullProgress"> & { readonly gc: Pick<Images["gc"], "counts"> };
  readonly events: Pick<EventFanOut, "subscribers">;
  readonly rpcs: Pick<RpcMetrics, "families">;
}

/** Between two looks at the event loop: what is shorter than a call's own time matters to nobody. */
const lagResolutionMs = 20;
const pullPhases = ["done", "failed"] as const;

/** Tells how the agent itself is: its calls, its event loop, its pulls, and how much it looks after. */
export class AgentMetrics implements Disposable {
  readonly #deps: AgentMetricsDeps;
  readonly #lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
  readonly #running = new Set<string>();
  readonly #ended = new Map<string, number>();
  readonly #subscription: Disposable;

  constructor(deps: AgentMetricsDeps) {
    this.#deps = deps;
    this.#lag.enable();
    this.#subscription = deps.images.onPullProgress(({ reference, layer, phase }) => {
      if (layer !== "") return;
      const end = pullPhases.find((name) => name === phase);
      if (end === undefined) this.#running.add(reference);
      else if (this.#running.delete(reference) || end === "failed")
        this.#ended.set(end, (this.#ended.get(end) ?? 0) + 1);
    });
  }

  families(): readonly TextFamily[] {
    return [
      ...this.#process(),
      ...this.#loop(),
      ...this.#inventory(),
      ...this.#collection(),
      ...this.#deps.rpcs.families(),
    ];
  }

  [Symbol.dispose](): void {
    this.#lag.disable();
    this.#subscription[Symbol.dispose]();
  }

  #process(): readonly TextFamily[] {
    const { user, system } = process.cpuUsage();
    return [
      gauge("podling_build_info", "What runs; always 1.", [{ labels: this.#deps.about, value: 1 }]),
      {
        name: "process_cpu_seconds_total",
        help: "CPU time of the agent in seconds.",
        type: "counter",
        samples: [{ value: (user + system) / 1e6 }],
      },
      gauge("process_resident_memory_bytes", "Memory of the agent.", [{ value: process.memoryUsage.rss() }]),
      gauge("process_start_time_seconds", "When the agent was started, in seconds since 1970.", [
        { value: performance.timeOrigin / 1000 },
      ]),
    ];
  }

  /** Since the time before: of a longer one, the worst moment would hide all that came after it. */
  #loop(): readonly TextFamily[] {
    const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - lagResolutionMs / 1000);
    const known = this.#lag.count > 0;
    const samples = [0.5, 0.99, 1].map((quantile) => ({
      labels: { quantile: String(quantile) },
      value: known ? seconds(quantile === 1 ? this.#lag.max : this.#lag.percentile(quantile * 100)) : 0,
    }));
    this.#lag.reset();
    return [gauge("podling_event_loop_lag_seconds", "How late the event loop was since the last reading.", samples)];
  }

  #inventory(): readonly TextFamily[] {
    const { sandboxes, images, events } = this.#deps;
    const { runtimeReady, networkReady } = sandboxes.status();
    const byState = (states: readonly string[], all: readonly string[]) =>
      all.map((state) => ({ labels: { state }, value: states.filter((one) => one === state).length }));
    const pods = sandboxes.listSandboxes({}).map(shownSandboxState);
    const containers = sandboxes.listContainers({}).map(shownContainerState);
    return [
      gauge("podling_pods", "Pods by state.", byState(pods, ["ready", "notReady"])),
      gauge("podling_containers", "Containers by state.", byState(containers, ["created", "running", "exited"])),
      gauge("podling_images", "Images on the node.", [{ value: images.list().length }]),
      gauge("podling_pulls", "Pulls that run.", [{ value: this.#running.size }]),
      {
        name: "podling_pulls_total",
        help: "Pulls that ended, by how.",
        type: "counter",
        samples: pullPhases.map((outcome) => ({ labels: { outcome }, value: this.#ended.get(outcome) ?? 0 })),
      },
      gauge("podling_event_subscribers", "Open GetContainerEvents streams.", [{ value: events.subscribers }]),
      gauge("podling_ready", "Whether a part can do its work.", [
        { labels: { part: "runtime" }, value: Number(runtimeReady.ready) },
        { labels: { part: "network" }, value: Number(networkReady.ready) },
      ]),
    ];
  }

  #collection(): readonly TextFamily[] {
    const { passes, failures, removedImages, freedBytes } = this.#deps.images.gc.counts();
    const removed = Object.entries(removedImages).map(([reason, value]) => ({ labels: { reason }, value }));
    return [
      counter("podling_image_gc_passes_total", "Passes that looked for unused images.", [{ value: passes }]),
      counter("podling_image_gc_removed_total", "Unused images that were removed, by why.", removed),
      counter("podling_image_gc_failures_total", "Unused images whose removal failed.", [{ value: failures }]),
      counter("podling_image_gc_freed_bytes_total", "Bytes of layers that went with them.", [{ value: freedBytes }]),
    ];
  }
}

function counter(name: string, help: string, samples: TextFamily["samples"]): TextFamily {
  return { name, help, type: "counter", samples };
}

function gauge(name: string, help: string, samples: TextFamily["samples"]): TextFamily {
  return { name, help, type: "gauge", samples };
}
