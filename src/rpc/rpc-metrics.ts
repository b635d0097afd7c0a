import type { TextFamily, TextSample } from "./prometheus-text.ts";

/** How one call ended. */
export interface RpcOutcome {
  /** Full name of the service, such as "runtime.v1.RuntimeService". */
  readonly service: string;
  readonly method: string;
  readonly streams: boolean;
  /** Name of the gRPC code as Go spells it, such as "OK" and "NotFound". */
  readonly code: string;
  readonly durationMs: number;
}

export type RpcObserver = (outcome: RpcOutcome) => void;

/** Upper ends in seconds: what reads take at one end, what pulls take at the other. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly codes: Map<string, number>;
  /** Calls by the first bucket they fit in; the last count is of those that fit in none. */
  readonly counts: number[];
  sumSeconds: number;
}

/** Counts calls and times them, under the names that gRPC servers in Go have and dashboards know. */
export class RpcMetrics {
  readonly #series = new Map<string, Series>();

  readonly observe: RpcObserver = ({ service, method, streams, code, durationMs }) => {
    const key = `${service}/${method}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const labels = {
        grpc_type: streams ? "server_stream" : "unary",
        grpc_service: service,
        grpc_method: method,
      };
      series = { labels, codes: new Map(), counts: Array.from({ length: buckets.length + 1 }, () => 0), sumSeconds: 0 };
      this.#series.set(key, series);
    }
    const seconds = durationMs / 1000;
    const fits = buckets.findIndex((end) => seconds <= end);
    const place = fits < 0 ? buckets.length : fits;
    series.codes.set(code, (series.codes.get(code) ?? 0) + 1);
    series.counts[place] = (series.counts[place] ?? 0) + 1;
    series.sumSeconds += seconds;
  };

  families(): readonly TextFamily[] {
    const all = [...this.#series.values()];
    return [
      {
        name: "grpc_server_handled_total",
        help: "Calls that ended, by their code.",
        type: "counter",
        samples: all.flatMap(({ labels, codes }) =>
          [...codes].map(([grpc_code, value]) => ({ labels: { ...labels, grpc_code }, value })),
        ),
      },
      {
        name: "grpc_server_handling_seconds",
        help: "How long calls took.",
        type: "histogram",
        samples: all.flatMap(histogram),
      },
    ];
  }
}

function histogram({ labels, counts, sumSeconds }: Series): readonly TextSample[] {
  let sum = 0;
  const cumulative = counts.map((count, place) => {
    sum += count;
    return { suffix: "_bucket", labels: { ...labels, le: String(buckets[place] ?? "+Inf") }, value: sum };
  });
  return [...cumulative, { suffix: "_sum", labels, value: sumSeconds }, { suffix: "_count", labels, value: sum }];
}
