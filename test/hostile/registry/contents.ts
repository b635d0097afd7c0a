import { randomBytes } from "node:crypto";
import { type Behaviour, type Exchange, onlyFor } from "../../images/registry-double.ts";
import type { RegistryCase } from "../../images/registry-trial.ts";
import { cutAfter } from "./transport.ts";

const wrong = (says: RegExp) => ({ code: "DataLoss", says }) as const;
const bytesOf = ({ request }: Exchange) => Buffer.from(request.content?.bytes ?? []);

/** Breaks a big layer's first connection, and answers the range that follows in a way of its own. */
function thenRange(behaviour: Behaviour): Behaviour {
  const cut = cutAfter(100_000, "reset");
  return onlyFor("layer", (exchange) => {
    if (bytesOf(exchange).length < 200_000) return exchange.honest();
    if (exchange.request.headers.range === undefined && exchange.request.count <= 2) return cut(exchange);
    return exchange.request.headers.range === undefined ? exchange.honest() : behaviour(exchange);
  });
}

/** A 206 with this Content-Range, and the bytes from `start` on whatever it says. */
function partial(contentRange: (start: number, total: number) => string | undefined, shift = 0): Behaviour {
  return (exchange) => {
    const body = bytesOf(exchange);
    const start = Number(/^bytes=(\d+)-/.exec(String(exchange.request.headers.range))?.[1] ?? 0);
    const range = contentRange(start, body.length);
    const part = body.subarray(start + shift);
    exchange.response.writeHead(206, {
      "content-length": part.length,
      ...(range !== undefined && { "content-range": range }),
    });
    exchange.response.end(part);
  };
}

const changed = (bytes: Buffer) => {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
};

/** Ranges that are not those asked for. */
export const rangeCases: readonly RegistryCase[] = [
  {
    name: "answers a range with the whole layer",
    behave: () => thenRange(({ response, request }) => void response.writeHead(200).end(request.content?.bytes)),
    verdict: "pulled",
  },
  {
    name: "answers a range with 416",
    behave: () => thenRange(({ response }) => void response.writeHead(416, { "content-range": "bytes */5" }).end()),
    verdict: "pulled",
  },
  {
    name: "answers a range with an earlier, overlapping one",
    behave: () => thenRange(partial((start, total) => `bytes ${start - 50}-${total - 1}/${total}`, -50)),
    verdict: "pulled",
  },
  {
    name: "answers a range with a later one",
    behave: () => thenRange(partial((start, total) => `bytes ${start + 9}-${total - 1}/${total}`, 9)),
    verdict: "pulled",
  },
  {
    name: "answers a range with bytes of another place than it says",
    behave: () => thenRange(partial((start, total) => `bytes ${start}-${total - 1}/${total}`, -50)),
    verdict: wrong(/Layer "sha256:.*(only|more) .*bytes|its blob has digest/),
  },
  {
    name: "answers a range without saying which",
    behave: () => thenRange(partial(() => undefined)),
    verdict: "pulled",
  },
  {
    name: "answers a range of another total",
    behave: () => thenRange(partial((start, total) => `bytes ${start}-${total - 1}/${total * 2}`)),
    verdict: "pulled",
  },
  {
    name: "answers a range beyond the end",
    behave: () => thenRange(partial((start, total) => `bytes ${start}-${total + 99}/*`)),
    verdict: "pulled",
  },
  {
    name: "answers a range in units of its own",
    behave: () => thenRange(partial((start, total) => `pages ${start}-${total - 1}/${total}`)),
    verdict: "pulled",
  },
  {
    name: "answers a range backwards",
    behave: () => thenRange(partial((start, total) => `bytes ${total}-${start}/${total}`)),
    verdict: "pulled",
  },
  {
    name: "answers a range in several parts",
    behave: () =>
      thenRange(({ response }) => {
        response.writeHead(206, { "content-type": "multipart/byteranges; boundary=b" }).end("--b\r\n\r\n--b--");
      }),
    verdict: "pulled",
  },
  {
    name: "answers a range with a smaller piece each time",
    behave: () =>
      thenRange((exchange) => {
        const body = bytesOf(exchange);
        const start = Number(/^bytes=(\d+)-/.exec(String(exchange.request.headers.range))?.[1] ?? 0);
        const part = body.subarray(start, start + 60_000);
        const range = `bytes ${start}-${start + part.length - 1}/${body.length}`;
        exchange.response.writeHead(206, { "content-range": range, "content-length": part.length }).end(part);
      }),
    verdict: "pulled",
  },
  {
    name: "answers a range from another version of the layer",
    behave: () =>
      thenRange((exchange) => {
        exchange.serve({ mediaType: "application/octet-stream", bytes: randomBytes(bytesOf(exchange).length) });
      }),
    verdict: wrong(/Layer "sha256:.*its blob has digest "sha256:/),
  },
  {
    name: "answers a whole request with a part",
    behave: () =>
      onlyFor(
        "layer",
        partial((start, total) => `bytes ${start}-${total - 1}/${total}`),
      ),
    verdict: "pulled",
  },
  {
    name: "answers a whole request with a part from the middle",
    behave: () =>
      onlyFor(
        "layer",
        partial((_start, total) => `bytes 5-${total - 1}/${total}`, 5),
      ),
    verdict: wrong(/Content-Range "bytes 5-\d+\/\d+": must be bytes 0-/),
  },
];

/** Bytes, sizes and digests that are not those promised. */
export const contentCases: readonly RegistryCase[] = [
  {
    name: "changes one bit of a layer",
    behave: () => onlyFor("layer", (exchange) => exchange.serve({ mediaType: "x", bytes: changed(bytesOf(exchange)) })),
    verdict: wrong(/Layer "sha256:.*its blob has digest "sha256:[0-9a-f]{64}": must be "sha256:/),
  },
  {
    name: "changes one bit of the configuration",
    behave: () =>
      onlyFor("config", (exchange) => exchange.serve({ mediaType: "x", bytes: changed(bytesOf(exchange)) })),
    verdict: wrong(/Blob "sha256:.*arrived with other content/),
  },
  {
    name: "changes one bit of the manifest that was asked for by digest",
    by: "digest",
    behave: () =>
      onlyFor("manifest", (exchange) =>
        exchange.serve({ mediaType: exchange.request.content?.mediaType ?? "", bytes: changed(bytesOf(exchange)) }),
      ),
    verdict: wrong(/Manifest "sha256:.*arrived with other content/),
  },
  {
    name: "lies in Docker-Content-Digest about a tag",
    behave: () => onlyFor("manifest", ({ honest }) => honest({ "docker-content-digest": `sha256:${"0".repeat(64)}` })),
    verdict: "pulled",
  },
  {
    name: "lies in Docker-Content-Digest about a digest",
    by: "digest",
    behave: () => onlyFor("manifest", ({ honest }) => honest({ "docker-content-digest": "sha256:../../etc/passwd" })),
    verdict: "pulled",
  },
  {
    name: "lies in its answers to HEAD",
    behave:
      () =>
      ({ request, response, honest }) =>
        request.method === "HEAD" ? void response.writeHead(200, { "content-length": 5 }).end() : honest(),
    verdict: "pulled",
    seen: ({ double }) => {
      if (double.requests.some(({ method }) => method === "HEAD")) throw new Error("HEAD was asked");
    },
  },
  {
    name: "announces a shorter layer and sends it all",
    behave: () =>
      onlyFor("layer", (exchange) => {
        const body = bytesOf(exchange);
        exchange.raw(Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"), body]));
      }),
    verdict: wrong(/sent 10 bytes of blob "sha256:.*: its descriptor promises \d+/),
  },
  {
    name: "announces a longer layer than promised",
    behave: () =>
      onlyFor("layer", (exchange) => {
        exchange.serve({ mediaType: "x", bytes: Buffer.concat([bytesOf(exchange), Buffer.from("more")]) });
      }),
    verdict: wrong(/sent \d+ bytes of blob "sha256:.*: its descriptor promises \d+/),
  },
  {
    name: "sends a layer without announced length and without end",
    behave: () =>
      onlyFor("layer", ({ response }) => {
        const timer = setInterval(() => response.write(Buffer.alloc(60_000)), 1);
        response.on("close", () => clearInterval(timer));
      }),
    verdict: wrong(/more bytes of blob|goes on after/),
  },
  {
    name: "sends no byte of a layer, and calls that all",
    behave: () => onlyFor("layer", ({ response }) => void response.writeHead(200).end()),
    verdict: wrong(/only 0 bytes of blob/),
  },
  {
    name: "sends the layers in each other's place",
    behave: ({ image }) =>
      onlyFor("layer", ({ request, serve }) => {
        const other = image.layers.find(({ digest }) => !request.path.includes(digest));
        if (other !== undefined) serve(other);
      }),
    verdict: wrong(/of blob "sha256:.*: its descriptor promises/),
  },
  {
    name: "announces a manifest of a gibibyte",
    behave: () =>
      onlyFor("manifest", ({ response }) => void response.writeHead(200, { "content-length": 2 ** 30 }).write("{")),
    verdict: wrong(/manifest of .* is longer than 4194304 bytes/),
  },
  {
    name: "sends a manifest without end",
    behave: () =>
      onlyFor("manifest", ({ response }) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(" ".repeat(200_000)), 1);
        response.on("close", () => clearInterval(timer));
      }),
    verdict: wrong(/manifest of .* is longer than 4194304 bytes/),
  },
];
