import { gzipSync } from "node:zlib";
import type { Behaviour } from "../../images/registry-double.ts";
import type { RegistryCase, Scene } from "../../images/registry-trial.ts";

const denied = (says: RegExp) => ({ code: "PermissionDenied", says }) as const;
const unauthenticated = (says: RegExp) => ({ code: "Unauthenticated", says }) as const;
const unavailable = (says: RegExp) => ({ code: "RegistryUnavailable", says }) as const;

/** Asks whoever brings neither the token nor the password, in these words. */
function asks(challenge: (scene: Scene) => string | readonly string[], token?: Behaviour): RegistryCase["behave"] {
  return (scene) => (exchange) => {
    const { request, response, honest } = exchange;
    if (request.kind === "token") return (token ?? (() => honest()))(exchange);
    if (scene.double.admits(request)) return honest();
    response
      .writeHead(401, { "www-authenticate": challenge(scene) as string })
      .end('{"errors":[{"code":"UNAUTHORIZED"}]}');
  };
}

const bearer = (realm: string) => `Bearer realm="${realm}",service="svc"`;
const own = ({ double }: Scene) => bearer(`${double.url}/token`);

/** Asks with the registry's own token server, which answers like this. */
const tokenServer = (behaviour: Behaviour) => asks(own, behaviour);

const gives =
  (body: string | Uint8Array, headers: Record<string, string> = {}, status = 200): Behaviour =>
  ({ response }) =>
    void response.writeHead(status, headers).end(body);

const nobodyAsked = ({ other }: Scene) => {
  if (other.requests.length > 0) throw new Error("another server was asked");
};

/** Challenges and token servers that are after something else. */
export const authCases: readonly RegistryCase[] = [
  { name: "asks for a token, honestly", behave: asks(own), verdict: "pulled" },
  { name: "asks for the password, honestly", behave: asks(() => 'Basic realm="r"'), verdict: "pulled" },
  {
    name: "asks for the password of who gave none",
    as: "nobody",
    behave: asks(() => 'Basic realm="r"'),
    verdict: unauthenticated(/asks for a user name and password: none were given/),
  },
  {
    name: "asks for the password of who gave a token",
    as: "identityToken",
    behave: asks(() => 'Basic realm="r"'),
    verdict: unauthenticated(/asks for a user name and password: a token was given/),
  },
  {
    name: "asks without saying how",
    behave: asks(() => []),
    verdict: unauthenticated(/asks for an authentication other than Basic and Bearer/),
  },
  {
    name: "asks for Negotiate",
    behave: asks(() => "Negotiate"),
    verdict: unauthenticated(/other than Basic and Bearer/),
  },
  {
    name: "asks for a digest with a nonce",
    behave: asks(() => 'Digest realm="r", nonce="n", qop="auth"'),
    verdict: unauthenticated(/other than Basic and Bearer/),
  },
  {
    name: "never accepts what it asked for",
    behave:
      () =>
      ({ request, response, honest }) => {
        if (request.kind === "token") honest();
        else response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
      },
    verdict: unauthenticated(/answered 401/),
    atMost: 3,
  },
  {
    name: "accepts a token for the manifest and never for the layers",
    behave: (scene) => (exchange) => {
      if (exchange.request.kind !== "layer") return asks(own)(scene)(exchange);
      exchange.response.writeHead(401, { "www-authenticate": own(scene) }).end();
    },
    verdict: unauthenticated(/Layer "sha256:.*answered 401/),
    atMost: 40,
  },
  {
    name: "refuses the registry token",
    as: "registryToken",
    behave: asks(own),
    verdict: unauthenticated(/refuses the registry token/),
  },
  {
    name: "refuses the identity token",
    as: "identityToken",
    behave: tokenServer(gives('{"error":"invalid_grant"}', {}, 400)),
    verdict: unauthenticated(/Asking for a token .*answered 400/),
  },
  {
    name: "asks in several ways at once, nested and broken",
    behave: asks(({ double }) => [
      'Negotiate, , ,Digest realm="\\"Bearer realm=\\"x"',
      `Basic realm="Bearer realm=\\"http://127.0.0.2/\\"", Bearer realm="${double.url}/token",service=svc, Bearer realm=`,
    ]),
    verdict: "pulled",
  },
  {
    name: "asks in 15,000 commas and quotes",
    behave: asks(() => `Bearer ${',"=\\"'.repeat(3_000)}`),
    verdict: denied(/names token server .*must be an http or https URL|other than Basic/),
  },
  {
    name: "asks with a header without an end in sight",
    behave: asks(() => `Bearer realm="${"a".repeat(15_000)}`),
    verdict: denied(/must be an http or https URL/),
  },
  ...[
    "",
    "token",
    "/token",
    "//127.0.0.2/token",
    "file:///etc/shadow",
    "javascript:1",
    "gopher://127.0.0.1:6379/_SET",
  ].map((realm) => ({
    name: `names the token server ${JSON.stringify(realm)}`,
    behave: asks(() => bearer(realm)),
    verdict: denied(/names token server .*: it must be an http or https URL/),
    atMost: 1,
  })),
  {
    name: "names a token server with a login of its own",
    behave: asks(({ other }) => bearer(other.url.replace("//", "//user:pass@"))),
    verdict: denied(/a URL with a user name is not allowed/),
    seen: nobodyAsked,
  },
  ...[
    "http://169.254.169.254/latest/api/token",
    "http://100.100.100.200/",
    "http://[::ffff:100.100.100.200]/",
    "http://2852039166/",
  ].map((realm) => ({
    name: `names the metadata service ${realm} as its token server`,
    as: "nobody" as const,
    behave: asks(() => bearer(realm)),
    verdict: denied(/Request to ".*" refused: Connecting to ".*" is refused: it is a metadata/),
    atMost: 1,
  })),
  {
    name: "names a token server of another domain, for a password",
    behave: asks(() => bearer("https://auth.other.example/token")),
    verdict: denied(/names token server "auth\.other\.example" of another domain: credentials are not sent there/),
    atMost: 1,
  },
  {
    name: "names a token server of another domain, for an identity token",
    as: "identityToken",
    behave: asks(() => bearer("https://auth.other.example/token")),
    verdict: denied(/of another domain: credentials are not sent there/),
    atMost: 1,
  },
  {
    name: "names, from outside, a token server on this machine",
    from: ({ outside, double }) => outside ?? double,
    behave: (scene) =>
      asks(({ other }) => bearer(`${other.url}/token`))({ ...scene, double: scene.outside ?? scene.double }),
    verdict: denied(/names token server|Request to "http:\/\/127\.0\.0\.2.*" refused|of another domain/),
    seen: nobodyAsked,
    needsOutside: true,
  },
  {
    name: "names, from outside and for nobody's login, a token server on this machine",
    from: ({ outside, double }) => outside ?? double,
    as: "nobody",
    behave: (scene) =>
      asks(({ other }) => bearer(`${other.url}/token`))({ ...scene, double: scene.outside ?? scene.double }),
    verdict: denied(/Request to "http:\/\/127\.0\.0\.2.*" refused/),
    seen: nobodyAsked,
    needsOutside: true,
  },
  {
    name: "wants a token for everything",
    behave: asks(
      ({ double }) => `Bearer realm="${double.url}/token",service="svc",scope="repository:*:push,registry:catalog:*"`,
    ),
    verdict: "pulled",
    seen: ({ double }) => {
      const asked = double.requests
        .filter(({ kind }) => kind === "token")
        .map(({ path }) => new URL(path, double.url).searchParams);
      if (asked.some((query) => !/^repository:app-[0-9a-f]+:pull$/.test(query.getAll("scope").join())))
        throw new Error("scope");
    },
  },
  {
    name: "puts a query into its service",
    behave: asks(
      ({ double }) => `Bearer realm="${double.url}/token?a=b",service="x&scope=repository:other:push&account=root"`,
    ),
    verdict: "pulled",
    seen: ({ double }) => {
      const { searchParams } = new URL(double.requests.find(({ kind }) => kind === "token")?.path ?? "", double.url);
      if (searchParams.getAll("scope").length !== 1 || searchParams.has("account"))
        throw new Error("the service broke out");
    },
  },
  {
    name: "has a token server without a token",
    behave: tokenServer(gives("{}")),
    verdict: unavailable(/token server's answer holds no usable token/),
  },
  {
    name: "has a token server that sends HTML",
    behave: tokenServer(gives("<html>")),
    verdict: unavailable(/holds no usable token/),
  },
  {
    name: "has a token server that sends a number",
    behave: tokenServer(gives('{"token":5}')),
    verdict: unavailable(/holds no usable token/),
  },
  {
    name: "has a token server that sends a header",
    behave: tokenServer(gives('{"token":"a\\r\\nX-Evil: b"}')),
    verdict: unavailable(/holds no usable token/),
  },
  {
    name: "has a token server that sends an endless token",
    behave: tokenServer(gives(JSON.stringify({ token: "t".repeat(70_000) }))),
    verdict: { code: "DataLoss", says: /token response of .* is longer than 65536 bytes/ },
  },
  {
    name: "has a token server that sends a token no header can hold",
    behave: tokenServer(gives(JSON.stringify({ token: "t".repeat(60_000) }))),
    verdict: unavailable(/holds no usable token/),
  },
  {
    name: "has a token server that sends a bomb",
    behave: tokenServer(gives(gzipSync(Buffer.alloc(5_000_000, " ")), { "content-encoding": "gzip" })),
    verdict: { code: "DataLoss", says: /token response of .* has Content-Encoding "gzip"/ },
  },
  {
    name: "has a token server that nests its answer",
    behave: tokenServer(gives(`{"token":${"[".repeat(20_000)}${"]".repeat(20_000)}}`)),
    verdict: unavailable(/holds no usable token/),
  },
  {
    name: "has a token server that hides the token in a prototype",
    behave: tokenServer(gives('{"__proto__":{"token":"t"}}')),
    verdict: unavailable(/holds no usable token/),
  },
  {
    name: "has a token server that redirects",
    behave: (scene) => tokenServer(gives("", { location: `${scene.other.url}/token` }, 307))(scene),
    verdict: unavailable(/Asking for a token .*answered 307/),
    seen: nobodyAsked,
  },
  {
    name: "has a token server that is broken",
    behave: tokenServer(gives("oops", {}, 500)),
    verdict: unavailable(/Asking for a token .*answered 500: oops/),
  },
  {
    name: "has a token server that refuses",
    behave: tokenServer(gives('{"details":"incorrect username or password"}', {}, 401)),
    verdict: unauthenticated(/Asking for a token .*answered 401: .*incorrect username or password/),
  },
  {
    name: "has a token server that echoes the login",
    behave: tokenServer(({ request, response }) => {
      const login = Buffer.from(String(request.headers.authorization).slice(6), "base64").toString();
      response
        .writeHead(401)
        .end(`wrong: ${request.headers.authorization} is ${login} or ${encodeURIComponent(login)}`);
    }),
    verdict: unauthenticated(/Asking for a token .*answered 401: wrong: /),
  },
  {
    name: "has a token server that echoes the identity token",
    as: "identityToken",
    behave: tokenServer(({ request, response }) => void response.writeHead(400).end(`bad form ${request.body}`)),
    verdict: unauthenticated(/Asking for a token .*answered 400: bad form/),
  },
  {
    name: "has a token server that never answers",
    behave: tokenServer(() => undefined),
    verdict: unavailable(/Headers Timeout|took longer/),
  },
  {
    name: "has a token server that drips",
    behave: tokenServer(({ response }) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(" "), 50);
      response.on("close", () => clearInterval(timer));
    }),
    verdict: unavailable(/took longer/),
  },
  ...['"soon"', "-1", "0", "1e300", "null"].map((life) => ({
    name: `has tokens that live for ${life}`,
    behave: (scene: Scene) => tokenServer(gives(`{"token":"${scene.double.token}","expires_in":${life}}`))(scene),
    verdict: "pulled" as const,
  })),
  {
    name: "takes its token back in the middle of the layers",
    behave: (scene) => {
      let taken = false;
      return (exchange) => {
        const { request, response } = exchange;
        if (request.kind !== "layer" || taken) return asks(own)(scene)(exchange);
        taken = true;
        response.writeHead(401, { "www-authenticate": own(scene) }).end();
      };
    },
    verdict: "pulled",
  },
  {
    name: "sets cookies",
    behave:
      () =>
      ({ honest }) =>
        honest({ "set-cookie": "session=1; Path=/" }),
    verdict: "pulled",
    seen: ({ double }) => {
      if (double.requests.some(({ headers }) => headers.cookie !== undefined)) throw new Error("a cookie came back");
    },
  },
];
