import { type Behaviour, firstOf, onlyFor } from "../../images/registry-double.ts";
import type { RegistryCase } from "../../images/registry-trial.ts";

const refuse =
  (status: number, headers: Record<string, string> = {}, body = ""): Behaviour =>
  ({ response }) =>
    void response.writeHead(status, headers).end(body);

/** A layer's first request meets this status. */
const once = (status: number, headers: Record<string, string> = {}) => firstOf("layer", 1, refuse(status, headers));

/** Statuses with and without Retry-After, and what registries say with them. */
export const statusCases: readonly RegistryCase[] = [
  { name: "asks for a second's patience by 429", behave: () => once(429, { "retry-after": "1" }), verdict: "pulled" },
  {
    name: "asks for patience until a date",
    behave: () => once(503, { "retry-after": new Date(Date.now() + 1_000).toUTCString() }),
    verdict: "pulled",
  },
  { name: "asks for a year's patience", behave: () => once(429, { "retry-after": "31536000" }), verdict: "pulled" },
  {
    name: "asks for patience until a date long past",
    behave: () => once(429, { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }),
    verdict: "pulled",
  },
  { name: "asks for negative patience", behave: () => once(429, { "retry-after": "-5" }), verdict: "pulled" },
  { name: "asks for patience in words", behave: () => once(503, { "retry-after": "soon; 1e9" }), verdict: "pulled" },
  { name: "is busy, once, with 408", behave: () => once(408), verdict: "pulled" },
  {
    name: "is busy for ever",
    behave: () => onlyFor("manifest", refuse(429, {}, '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')),
    verdict: { code: "RegistryUnavailable", says: /answered 429: TOOMANYREQUESTS: slow down/ },
    atMost: 3,
  },
  {
    name: "is broken for ever, in the middle of the layers",
    behave: () => onlyFor("layer", refuse(502, {}, "<html>Bad Gateway</html>")),
    verdict: { code: "RegistryUnavailable", says: /Layer "sha256:.*answered 502: <html>Bad Gateway/ },
  },
  {
    name: "does not know the image",
    behave: () => onlyFor("manifest", refuse(404, {}, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')),
    verdict: { code: "NotFound", says: /answered 404: MANIFEST_UNKNOWN: unknown/ },
    atMost: 1,
  },
  {
    name: "does not know a layer its manifest names",
    behave: () => onlyFor("layer", refuse(404)),
    verdict: { code: "NotFound", says: /Layer "sha256:.*answered 404/ },
  },
  {
    name: "forbids the image",
    behave: () => onlyFor("manifest", refuse(403, {}, '{"errors":[{"code":"DENIED","message":"not yours"}]}')),
    verdict: { code: "PermissionDenied", says: /answered 403: DENIED: not yours/ },
    atMost: 1,
  },
  {
    name: "speaks of legal reasons",
    behave: () => onlyFor("manifest", refuse(451)),
    verdict: { code: "PermissionDenied", says: /answered 451/ },
    atMost: 1,
  },
  {
    name: "finds the request bad",
    behave: () => onlyFor("manifest", refuse(400, {}, "no")),
    verdict: { code: "RegistryUnavailable", says: /answered 400: no/ },
    atMost: 1,
  },
  {
    name: "has no content",
    behave: () => onlyFor("manifest", refuse(204)),
    verdict: { code: "RegistryUnavailable", says: /answered 204/ },
  },
  {
    name: "says nothing changed, to who has nothing",
    behave: () => onlyFor("manifest", refuse(304)),
    verdict: { code: "RegistryUnavailable", says: /answered 304/ },
  },
  {
    name: "sends a part of the manifest nobody asked for",
    behave: () =>
      onlyFor("manifest", ({ response }) => {
        response.writeHead(206, { "content-range": "bytes 0-1/900" }).end("{}");
      }),
    verdict: { code: "RegistryUnavailable", says: /answered 206/ },
  },
  {
    name: "speaks in terminal control codes and signed URLs",
    behave: ({ secrets }) =>
      onlyFor(
        "manifest",
        refuse(
          403,
          {},
          JSON.stringify({
            errors: [
              { code: "DENIED", message: `see https://s.example/x?sig=${secrets.signature}\n\u001b[31mred\u0007` },
            ],
          }),
        ),
      ),
    verdict: {
      code: "PermissionDenied",
      says: /^\P{C}*see https:\/\/s\.example\/x\?…\P{C}*red\P{C}*$/u,
    },
  },
  {
    name: "answers 500 with a body without end",
    behave: () =>
      onlyFor("manifest", ({ response }) => {
        response.writeHead(500);
        const timer = setInterval(() => response.write("x".repeat(50_000)), 1);
        response.on("close", () => clearInterval(timer));
      }),
    verdict: { code: "RegistryUnavailable", says: /answered 500: x{100}/ },
  },
  {
    name: "echoes the request's secrets in its error",
    behave: () =>
      onlyFor("manifest", ({ request, response, honest }) => {
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
        } else if (request.headers.authorization.startsWith("Basic")) {
          response.writeHead(403).end(`{"errors":[{"code":"DENIED","message":"${request.headers.authorization}"}]}`);
        } else honest();
      }),
    verdict: { code: "PermissionDenied", says: /answered 403: DENIED/ },
  },
];
