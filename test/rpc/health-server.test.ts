import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { HealthServer, type HealthServerDeps } from "../../src/rpc/health-server.ts";
import { renderFamilies } from "../../src/rpc/prometheus-text.ts";
import { RpcMetrics } from "../../src/rpc/rpc-metrics.ts";

const parts: HealthServer[] = [];
afterEach(async () => {
  for (const server of parts.splice(0)) await server[Symbol.asyncDispose]();
});

async function serve(deps: Partial<HealthServerDeps> = {}, address = "127.0.0.1:0"): Promise<string> {
  const server = await HealthServer.listen(address, {
    agentMetrics: () => [],
    podMetrics: async () => [],
    readiness: () => [],
    log: createLog("silent"),
    ...deps,
  });
  parts.push(server);
  return `http://${server.address}`;
}
const get = async (url: string, init: RequestInit = {}) => {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.text() };
};

describe("HealthServer", () => {
  test("is ready when every check holds, and else says which doesn't", async () => {
    const checks = [
      { name: "agent", ok: true, message: "" },
      { name: "network", ok: false, message: "no router" },
    ];
    const url = await serve({ readiness: () => checks });
    expect(await get(`${url}/readyz`)).toEqual({
      status: 503,
      body: "[+]agent ok\n[-]network failed: no router\nnot ready\n",
    });
    checks.pop();
    expect(await get(`${url}/readyz?verbose`)).toEqual({ status: 200, body: "[+]agent ok\nok\n" });
    expect(await get(`${url}/livez`)).toEqual({ status: 200, body: "ok\n" });
  });

  test.each([
    ["/metrics/", {}, 404],
    ["/../etc/passwd", {}, 404],
    ["/metrics", { method: "POST", body: "x" }, 405],
    ["/metrics", { method: "HEAD" }, 200],
    ["/", {}, 200],
  ] as const)("answers %s %j with %i", async (path, init, status) => {
    expect((await get(`${await serve()}${path}`, init)).status).toBe(status);
  });

  test("answers 503 with the reason when metrics can't be read, and goes on", async () => {
    const url = await serve({ podMetrics: () => Promise.reject(new Error("too many questions")) });
    expect(await get(`${url}/metrics/pods`)).toEqual({ status: 503, body: "too many questions\n" });
    expect((await get(`${url}/livez`)).status).toBe(200);
  });

  test("listens on IPv6, and refuses an address that is taken by the setting's name", async () => {
    const url = await serve({}, "[::1]:0");
    expect((await get(`${url}/livez`)).status).toBe(200);
    await expect(serve({}, url.replace("http://", ""))).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringMatching(/metrics\.address "\[::1\]:\d+": another process listens there/),
    });
  });
});

describe("renderFamilies()", () => {
  test("gives each family a head and a line for each sample", () => {
    const family = {
      name: "podling_x",
      help: "back\\slash\nline",
      type: "histogram",
      samples: [
        { suffix: "_bucket", labels: { le: "+Inf", odd: 'a "b"\\\n' }, value: 2 },
        { suffix: "_sum", value: 2n ** 64n },
      ],
    } as const;
    expect(renderFamilies([family, { ...family, samples: [] }])).toBe(
      "# HELP podling_x back\\\\slash\\nline\n# TYPE podling_x histogram\n" +
        'podling_x_bucket{le="+Inf",odd="a \\"b\\"\\\\\\n"} 2\npodling_x_sum 18446744073709551616\n',
    );
  });

  test("no label can end its line or its quotes", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const text = renderFamilies([
          { name: "x", help: "h", type: "gauge", samples: [{ labels: { a: value }, value: 1 }] },
        ]);
        const [, , line = "", rest] = text.split("\n");
        expect(rest).toBe("");
        const quoted = /^x\{a=(".*")\} 1$/.exec(line)?.[1] ?? "";
        expect(quoted.slice(1, -1).replace(/\\([\\"n])/g, (_, one) => (one === "n" ? "\n" : one))).toBe(value);
      }),
    );
  });
});

describe("RpcMetrics", () => {
  test("counts by code and by bucket, cumulatively", () => {
    const rpcs = new RpcMetrics();
    const call = { service: "s", method: "m", streams: false } as const;
    rpcs.observe({ ...call, code: "OK", durationMs: 1 });
    rpcs.observe({ ...call, code: "OK", durationMs: 700 });
    rpcs.observe({ ...call, code: "NotFound", durationMs: 400_000 });
    const text = renderFamilies(rpcs.families());
    const labels = 'grpc_type="unary",grpc_service="s",grpc_method="m"';
    expect(text).toContain(`grpc_server_handled_total{${labels},grpc_code="OK"} 2\n`);
    expect(text).toContain(`grpc_server_handled_total{${labels},grpc_code="NotFound"} 1\n`);
    expect(text).toContain(`_bucket{${labels},le="0.001"} 1\n`);
    expect(text).toContain(`_bucket{${labels},le="1"} 2\n`);
    expect(text).toContain(`_bucket{${labels},le="300"} 2\n`);
    expect(text).toContain(`_bucket{${labels},le="+Inf"} 3\n`);
    expect(text).toContain(`_count{${labels}} 3\n`);
  });
});
