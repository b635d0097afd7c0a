import { type Behaviour, onlyFor } from "../../images/registry-double.ts";
import type { RegistryCase, Scene } from "../../images/registry-trial.ts";
import { cutAfter } from "./transport.ts";

/** `other` as the mirror of the registry, with a header of its own. */
const mirrored = ({ double, other, secrets }: Scene) =>
  `server = "${double.url}"\n[host."${other.url}"]\ncapabilities = ["pull", "resolve"]\n[host."${other.url}".header]\nx-team = "${secrets.header}"\n`;

const answers =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  ({ response }) =>
    void response.writeHead(status, headers).end();

/** A mirror that behaves like this before a registry that is honest, or not. */
function mirror(behaviour: Behaviour, server: Behaviour = ({ honest }) => honest()): RegistryCase["behave"] {
  return ({ other }) => {
    other.behave(behaviour);
    return server;
  };
}

const askedBoth = ({ double, other }: Scene) => {
  if (double.requests.length === 0 || other.requests.length === 0) throw new Error("not both were asked");
};

/** Mirrors that half-work. */
const cases: readonly Omit<RegistryCase, "hostsToml">[] = [
  {
    name: "all is well",
    behave: mirror(({ honest }) => honest()),
    verdict: "pulled",
    seen: ({ double }) => expectNone(double.requests),
  },
  { name: "the mirror has nothing", behave: mirror(answers(404)), verdict: "pulled", seen: askedBoth },
  { name: "the mirror is broken", behave: mirror(answers(500)), verdict: "pulled", seen: askedBoth },
  {
    name: "the mirror asks for an hour's patience",
    behave: mirror(answers(429, { "retry-after": "3600" })),
    verdict: "pulled",
    seen: askedBoth,
  },
  { name: "the mirror never answers", behave: mirror(() => undefined), verdict: "pulled", seen: askedBoth },
  {
    name: "the mirror resets",
    behave: mirror(({ socket }) => void socket.resetAndDestroy()),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror has the manifest and no layers",
    behave: mirror(onlyFor("layer", answers(404))),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror has the manifest and no configuration",
    behave: mirror(onlyFor("config", answers(503))),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror has other layers",
    behave: mirror(
      onlyFor("layer", ({ serve, request }) =>
        serve({ mediaType: "x", bytes: Buffer.alloc(request.content?.bytes.length ?? 0) }),
      ),
    ),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror has another configuration",
    behave: mirror(
      onlyFor("config", ({ serve, request }) =>
        serve({ mediaType: "x", bytes: Buffer.alloc(request.content?.bytes.length ?? 0) }),
      ),
    ),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror has another manifest for the digest",
    by: "digest",
    behave: mirror(onlyFor("manifest", ({ serve }) => serve({ mediaType: "x", bytes: Buffer.from("{}") }))),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror has a web page for the tag",
    behave: mirror(onlyFor("manifest", ({ serve }) => serve({ mediaType: "text/html", bytes: Buffer.from("<html>") }))),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror breaks off in every layer",
    behave: mirror(onlyFor("layer", cutAfter(10, "reset"))),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror breaks off, and the registry knows no ranges",
    behave: mirror(
      onlyFor("layer", (exchange) =>
        exchange.request.headers.range === undefined ? cutAfter(100_000, "reset")(exchange) : answers(404)(exchange),
      ),
      onlyFor("layer", ({ response, request }) => void response.writeHead(200).end(request.content?.bytes)),
    ),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror begins a layer wrongly, and the registry would go on rightly",
    behave: mirror(
      onlyFor("layer", ({ request, response, socket }) => {
        const size = request.content?.bytes.length ?? 0;
        if (request.headers.range !== undefined || size < 200_000) return void response.writeHead(404).end();
        response.writeHead(200, { "content-length": size });
        response.write(Buffer.alloc(100_000), () => setTimeout(() => socket.destroy(), 20));
      }),
    ),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror asks for the login",
    behave: mirror(answers(401, { "www-authenticate": 'Basic realm="r"' })),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror names a hostile token server",
    behave: mirror(answers(401, { "www-authenticate": 'Bearer realm="http://169.254.169.254/"' })),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "the mirror redirects to the metadata service",
    behave: mirror(answers(307, { location: "http://100.100.100.200/latest" })),
    verdict: "pulled",
    seen: askedBoth,
  },
  {
    name: "mirror and registry are both down, each in its way",
    behave: mirror(answers(502), answers(503)),
    verdict: { code: "RegistryUnavailable", says: /127\.0\.0\.2:.* answered 502; .*127\.0\.0\.1:.* answered 503/ },
  },
  {
    name: "the mirror is down and the registry does not know the image",
    behave: mirror(answers(502), answers(404)),
    verdict: { code: "NotFound", says: /answered 502; .*answered 404/ },
  },
];

export const mirrorCases: readonly RegistryCase[] = cases.map((mirrorCase) => ({ hostsToml: mirrored, ...mirrorCase }));

function expectNone(requests: readonly unknown[]): void {
  if (requests.length > 0) throw new Error("the registry was asked as well");
}
