import { gzipSync } from "node:zlib";
import { type Behaviour, type Exchange, firstOf, onlyFor } from "../../images/registry-double.ts";
import type { RegistryCase } from "../../images/registry-trial.ts";

const unavailable = (says: RegExp) => ({ code: "RegistryUnavailable", says }) as const;
const wrong = (says: RegExp) => ({ code: "DataLoss", says }) as const;

/** The answer's body cut off after so many bytes, by an orderly end or by a reset. */
export function cutAfter(bytes: number, how: "end" | "reset", headers: Record<string, string> = {}): Behaviour {
  return ({ request, response, socket, honest }) => {
    const content = Buffer.from(request.content?.bytes ?? []);
    const range = /^bytes=(\d+)-/.exec(String(request.headers.range ?? ""));
    const start = Number(range?.[1] ?? 0);
    if (content.length - start <= bytes) return honest();
    response.writeHead(range === null ? 200 : 206, {
      "content-type": request.content?.mediaType,
      "content-length": content.length - start,
      ...(range !== null && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }),
      ...headers,
    });
    // The pause lets the bytes arrive: a reset drops what is still on its way.
    response.write(content.subarray(start, start + bytes), () =>
      setTimeout(() => (how === "end" ? socket.end() : socket.resetAndDestroy()), 20),
    );
  };
}

/** An answer written by hand, for what Node's server would not send. */
function answer(lines: readonly string[], body: string | Uint8Array = ""): Buffer {
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), Buffer.from(body as Uint8Array)]);
}

const manifestOf = ({ request }: Exchange) => Buffer.from(request.content?.bytes ?? []);
const manifestType = "content-type: application/vnd.oci.image.manifest.v1+json";

/** Sends what there is, a few bytes now and then. */
function drip(bytes: number, everyMs: number): Behaviour {
  return ({ request, response }) => {
    const content = Buffer.from(request.content?.bytes ?? []);
    response.writeHead(200, { "content-type": request.content?.mediaType, "content-length": content.length });
    let sent = 0;
    const timer = setInterval(() => {
      if (sent >= content.length || response.destroyed) return clearInterval(timer);
      response.write(content.subarray(sent, sent + bytes));
      sent += bytes;
    }, everyMs);
    response.on("close", () => clearInterval(timer));
  };
}

/** Broken connections, broken HTTP, slowness. */
export const transportCases: readonly RegistryCase[] = [
  {
    name: "resets every connection before a byte is read",
    behave:
      ({ double }) =>
      ({ socket }) => {
        double.onConnection = (fresh) => fresh.resetAndDestroy();
        socket.resetAndDestroy();
      },
    verdict: unavailable(/GET "http:\/\/127\.0\.0\.1:.*failed: (.*ECONNRESET|other side closed)/),
  },
  {
    name: "takes the connection and ends it at once",
    behave:
      () =>
      ({ socket }) =>
        void socket.end(),
    verdict: unavailable(/failed: other side closed/),
  },
  {
    name: "never answers the manifest",
    behave: () => onlyFor("manifest", () => undefined),
    verdict: unavailable(/Headers Timeout/),
    atMost: 3,
  },
  {
    name: "sends half a status line and stalls",
    behave: () => onlyFor("manifest", ({ raw }) => raw("HTTP/1.1 2", { keepOpen: true })),
    verdict: unavailable(/Headers Timeout/),
  },
  {
    name: "stalls in the middle of the headers",
    behave: () => onlyFor("layer", ({ raw }) => raw("HTTP/1.1 200 OK\r\nContent-Le", { keepOpen: true })),
    verdict: unavailable(/Headers Timeout/),
  },
  {
    name: "resets in the middle of the manifest",
    behave: () => onlyFor("manifest", cutAfter(100, "reset")),
    verdict: unavailable(/Reading ".*\/manifests\/1" failed/),
  },
  {
    name: "cuts the manifest without a Content-Length",
    behave: () =>
      onlyFor("manifest", (exchange) =>
        exchange.raw(
          answer(["HTTP/1.1 200 OK", manifestType, "connection: close"], manifestOf(exchange).subarray(0, 100)),
        ),
      ),
    verdict: { code: "FailedPrecondition", says: /manifest "sha256:.* is not JSON in UTF-8/ },
  },
  {
    name: "resets in the middle of the configuration, once",
    behave: () => firstOf("config", 1, cutAfter(50, "reset")),
    verdict: "pulled",
  },
  {
    name: "resets right after a layer's headers, for ever",
    behave: () => onlyFor("layer", cutAfter(0, "reset")),
    verdict: unavailable(/Layer "sha256:.*(ECONNRESET|other side closed)/),
  },
  {
    name: "resets a layer again and again, a piece further each time",
    behave: () => onlyFor("layer", cutAfter(40_000, "reset")),
    verdict: "pulled",
  },
  {
    name: "ends a layer's connection early, a piece further each time",
    behave: () => onlyFor("layer", cutAfter(40_000, "end")),
    verdict: "pulled",
  },
  {
    name: "breaks a layer more often than is worth resuming",
    behave: () => onlyFor("layer", cutAfter(1_000, "end")),
    verdict: unavailable(/Layer "sha256:.*(other side closed|terminated|closed before)/),
  },
  {
    name: "stalls in the middle of a layer, once",
    behave: () =>
      onlyFor("layer", (exchange) => {
        const whole = exchange.request.content?.bytes.length ?? 0;
        if (whole < 10_000 || exchange.request.headers.range !== undefined) return exchange.honest();
        exchange.response.writeHead(200, { "content-length": whole });
        exchange.response.write(Buffer.from(exchange.request.content?.bytes ?? []).subarray(0, 5_000));
      }),
    verdict: "pulled",
  },
  {
    name: "stalls in the middle of a layer, for ever",
    behave: () =>
      onlyFor("layer", ({ request, response }) => {
        response.writeHead(200, { "content-length": request.content?.bytes.length ?? 0 }).flushHeaders();
      }),
    verdict: unavailable(/Layer "sha256:.*Body Timeout/),
  },
  {
    name: "drips the manifest byte by byte",
    behave: () => onlyFor("manifest", drip(1, 20)),
    verdict: unavailable(/took longer than 2 seconds/),
  },
  {
    name: "drips a layer below any useful rate",
    behave: () => onlyFor("layer", drip(2, 50)),
    verdict: unavailable(/The host sent \d+ bytes in 0\.6 seconds/),
  },
  {
    name: "speaks SSH",
    behave: () => onlyFor("manifest", ({ raw }) => raw("SSH-2.0-OpenSSH_9.2\r\n")),
    verdict: unavailable(/failed: .*(HTTP|Expected|parse)/i),
  },
  {
    name: "speaks HTTP/2",
    behave: () => onlyFor("manifest", ({ raw }) => raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    verdict: unavailable(/failed/),
  },
  {
    name: "sends zeros",
    behave: () => onlyFor("manifest", ({ raw }) => raw(Buffer.alloc(10_000))),
    verdict: unavailable(/failed/),
  },
  {
    name: "sends a chunk of a size that is none",
    behave: () =>
      onlyFor("manifest", ({ raw }) =>
        raw(answer(["HTTP/1.1 200 OK", manifestType, "transfer-encoding: chunked"], "zz\r\n{}\r\n0\r\n\r\n")),
      ),
    verdict: unavailable(/chunk/i),
  },
  {
    name: "sends a chunk of 2^64 bytes",
    behave: () =>
      onlyFor("manifest", ({ raw }) =>
        raw(answer(["HTTP/1.1 200 OK", manifestType, "transfer-encoding: chunked"], "ffffffffffffffffff\r\n{}")),
      ),
    verdict: unavailable(/chunk|overflow/i),
  },
  {
    name: "chunks a layer and cuts it between two chunks",
    behave: () =>
      onlyFor("layer", ({ request, response, socket }) => {
        response.writeHead(200);
        response.write(Buffer.from(request.content?.bytes ?? []).subarray(0, 100), () => socket.end());
      }),
    verdict: unavailable(/Layer "sha256:/),
  },
  {
    name: "sends endless trailers",
    behave: () =>
      onlyFor("manifest", ({ raw }) => {
        const trailers = Array.from({ length: 2_000 }, (_, index) => `x-${index}: ${"y".repeat(100)}\r\n`).join("");
        raw(answer(["HTTP/1.1 200 OK", manifestType, "transfer-encoding: chunked"], `2\r\n{}\r\n0\r\n${trailers}`));
      }),
    verdict: unavailable(/overflow/i),
  },
  {
    name: "tells two lengths",
    behave: () =>
      onlyFor("manifest", (exchange) =>
        exchange.raw(
          answer(["HTTP/1.1 200 OK", manifestType, "content-length: 5", "content-length: 900"], manifestOf(exchange)),
        ),
      ),
    verdict: unavailable(/content-length/i),
  },
  {
    name: "tells a length and chunks",
    behave: () =>
      onlyFor("manifest", ({ raw }) =>
        raw(
          answer(
            ["HTTP/1.1 200 OK", manifestType, "content-length: 2", "transfer-encoding: chunked"],
            "2\r\n{}\r\n0\r\n\r\n",
          ),
        ),
      ),
    verdict: unavailable(/transfer-encoding|content-length/i),
  },
  {
    name: "tells a negative length",
    behave: () =>
      onlyFor("manifest", ({ raw }) => raw(answer(["HTTP/1.1 200 OK", manifestType, "content-length: -1"], "{}"))),
    verdict: unavailable(/content-length/i),
  },
  {
    name: "smuggles a second answer behind the manifest",
    behave: () =>
      firstOf("manifest", 1, (exchange) => {
        const body = manifestOf(exchange);
        const first = answer(["HTTP/1.1 200 OK", manifestType, `content-length: ${body.length}`], body);
        const second = answer(["HTTP/1.1 200 OK", "content-length: 6"], "poison");
        exchange.raw(Buffer.concat([first, second]), { keepOpen: true });
      }),
    verdict: "pulled",
  },
  {
    name: "sends 20 KiB of headers",
    behave: () =>
      onlyFor("manifest", ({ response }) => void response.writeHead(200, { "x-long": "x".repeat(20_000) }).end("{}")),
    verdict: unavailable(/Headers Overflow/i),
  },
  {
    name: "sends early hints without end",
    behave: () =>
      onlyFor("manifest", ({ socket }) => {
        const timer = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"), 20);
        socket.on("close", () => clearInterval(timer));
      }),
    verdict: unavailable(/took longer than|Headers Timeout|bad response/),
  },
  {
    name: "switches protocols unasked",
    behave: () =>
      onlyFor("manifest", ({ raw }) =>
        raw(answer(["HTTP/1.1 101 Switching Protocols", "upgrade: h2c", "connection: upgrade"]), { keepOpen: true }),
      ),
    verdict: unavailable(/failed/),
  },
  {
    name: "puts the manifest into a gzip encoding nobody asked for",
    behave: () =>
      onlyFor("manifest", (exchange) => {
        const body = gzipSync(manifestOf(exchange));
        exchange.response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length }).end(body);
      }),
    verdict: wrong(/manifest of .* has Content-Encoding "gzip": must be identity/),
  },
  {
    name: "puts a gzip bomb into the manifest's encoding",
    behave: () =>
      onlyFor("manifest", ({ response }) => {
        response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(50_000_000, " ")));
      }),
    verdict: wrong(/Content-Encoding "gzip"/),
  },
  {
    name: "puts a layer into a chain of encodings",
    behave: () =>
      onlyFor("layer", ({ honest }) =>
        honest({ "content-encoding": Array(200).fill("gzip").join(", ").slice(0, 900) }),
      ),
    verdict: wrong(/Content-Encoding ".{100}": must be identity/),
  },
  {
    name: "hides an encoding in Transfer-Encoding",
    behave: () =>
      onlyFor("manifest", (exchange) =>
        exchange.raw(
          answer(["HTTP/1.1 200 OK", manifestType, "transfer-encoding: gzip"], gzipSync(manifestOf(exchange))),
        ),
      ),
    verdict: { code: "FailedPrecondition", says: /is not JSON in UTF-8/ },
  },
];
