import { type Behaviour, onlyFor } from "../../images/registry-double.ts";
import type { RegistryCase, Scene } from "../../images/registry-trial.ts";
import { loopbackName } from "./loopback-name.ts";

const refused = (says: RegExp) => ({ code: "PermissionDenied", says }) as const;

/** Answers manifests, or other requests, with a redirect. */
function to(location: (scene: Scene, path: string) => string, kind: "manifest" | "layer" = "manifest") {
  return (scene: Scene): Behaviour =>
    onlyFor(kind, ({ request, raw }) => {
      const target = location(scene, request.path);
      // By hand: Node's server would refuse some of these.
      raw(`HTTP/1.1 307 Temporary Redirect\r\nlocation: ${target}\r\ncontent-length: 0\r\n\r\n`);
    });
}

/** Asks for the login first, so that there is something to leak. */
function afterLogin(behave: RegistryCase["behave"]): RegistryCase["behave"] {
  return (scene) => {
    const behaviour = behave(scene);
    return (exchange) => {
      const { request, response } = exchange;
      if (request.kind === "token" || request.headers.authorization !== undefined || request.path.startsWith("/open")) {
        behaviour(exchange);
      } else response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    };
  };
}

const untouched = ({ double, other }: Scene) => {
  if (other.requests.length > 0) throw new Error("the other server was asked");
  if (double.requests.some(({ path }) => path.startsWith("/victim"))) throw new Error("a local service was asked");
};

/** Redirects to where no pull should go, or with what no stranger should see. */
export const redirectCases: readonly RegistryCase[] = [
  {
    name: "redirects to itself",
    behave: to((_scene, path) => path),
    verdict: { code: "RegistryUnavailable", says: /redirects more than 5 times/ },
  },
  {
    name: "redirects further and further",
    behave: to((_scene, path) => `${path}x`),
    verdict: { code: "RegistryUnavailable", says: /redirects more than 5 times/ },
  },
  {
    name: "plays ping-pong with another server",
    behave: (scene) => {
      scene.other.behave(to(({ double }, path) => `${double.url}${path}`)(scene));
      return to(({ other }, path) => `${other.url}${path}`)(scene);
    },
    verdict: { code: "RegistryUnavailable", says: /redirects more than 5 times/ },
  },
  ...[
    "file:///etc/shadow",
    "ftp://127.0.0.1/x",
    "gopher://127.0.0.1:70/x",
    "data:application/json,{}",
    "unix:/run/x.sock",
  ].map((target) => ({
    name: `redirects to ${target}`,
    behave: to(() => target),
    verdict: refused(/only http and https are allowed/),
    atMost: 1,
  })),
  ...["http://[", "http://", "http://a b/", "//"].map((target) => ({
    name: `redirects to the nonsense ${JSON.stringify(target)}`,
    behave: to(() => target),
    verdict: refused(/only http and https are allowed/),
    atMost: 1,
  })),
  {
    name: "redirects to nowhere",
    behave: () => onlyFor("manifest", ({ response }) => void response.writeHead(302).end()),
    verdict: { code: "RegistryUnavailable", says: /answered 302/ },
  },
  {
    name: "redirects to a URL with a login",
    behave: to(({ other }) => other.url.replace("//", "//user:pass@")),
    verdict: refused(/a URL with a user name is not allowed/),
    seen: untouched,
  },
  ...[
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/latest/",
    "http://2852039166/latest/",
    "http://0xa9.254.0251.254/latest/",
  ].map((target) => ({
    name: `redirects a layer to the metadata service as ${target}`,
    behave: to(() => target, "layer"),
    verdict: refused(/Request to "http:.*" refused: Connecting to ".*" is refused: it is a metadata/),
  })),
  {
    name: "redirects from outside to this machine",
    from: ({ outside, double }) => outside ?? double,
    behave: to(({ double }) => `${double.url}/victim`),
    verdict: refused(/Request to "http:\/\/127\.0\.0\.1.*" refused/),
    seen: untouched,
    needsOutside: true,
  },
  ...["http://0.0.0.0:1/victim", "http://[::1]:1/victim", "http://[::]:1/victim", "http://127.1:1/victim"].map(
    (target) => ({
      name: `redirects from outside to this machine as ${target}`,
      from: ({ outside, double }: Scene) => outside ?? double,
      behave: to(() => target),
      verdict: refused(/Request to "http:.*" refused/),
      needsOutside: true,
    }),
  ),
  {
    name: "redirects from outside to a name that means this machine",
    from: ({ outside, double }) => outside ?? double,
    behave: to(({ double }) => `http://${loopbackName()}:${double.host.split(":")[1]}/victim`),
    verdict: refused(/Request to "http:.*" refused: Connecting to ".*" is refused/),
    seen: untouched,
    needsOutside: true,
  },
  {
    name: "redirects from outside to localhost",
    from: ({ outside, double }) => outside ?? double,
    behave: to(({ double }) => `http://localhost:${double.host.split(":")[1]}/victim`),
    verdict: refused(/Request to "http:\/\/localhost.*" refused/),
    seen: untouched,
    needsOutside: true,
  },
  {
    name: "redirects the manifest to another server, with the login known",
    behave: afterLogin(to(({ other }, path) => `${other.url}${path}`)),
    verdict: "pulled",
    seen: ({ other }) => {
      const kept = other.requests.filter(
        ({ headers }) => headers.authorization !== undefined || headers.cookie !== undefined,
      );
      if (other.requests.length === 0 || kept.length > 0) throw new Error("the other server got the login, or nothing");
    },
  },
  {
    name: "redirects layers to another server, with headers of hosts.toml",
    hostsToml: ({ double, secrets }) => `server = "${double.url}"\n[header]\nx-team = "${secrets.header}"\n`,
    behave: afterLogin(to(({ other }, path) => `${other.url}${path}?sig=x`, "layer")),
    verdict: "pulled",
    seen: ({ other, double }) => {
      if (other.requests.some(({ headers }) => "x-team" in headers)) throw new Error("the other server got the header");
      if (!double.requests.every(({ headers }) => "x-team" in headers))
        throw new Error("the registry lacks its header");
    },
  },
  {
    name: "redirects to another server that asks for the login",
    behave: (scene) => {
      scene.other.behave(
        ({ response }) => void response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end(),
      );
      return to(({ other }, path) => `${other.url}${path}`)(scene);
    },
    verdict: { code: "Unauthenticated", says: /answered 401|refuse/ },
  },
  {
    name: "redirects to another server that names a token server of its own",
    behave: (scene) => {
      scene.other.behave(({ request, response, honest }) => {
        if (request.kind === "token") return honest();
        const realm = `Bearer realm="${scene.other.url}/token",service="evil"`;
        response.writeHead(401, { "www-authenticate": realm }).end();
      });
      return to(({ other }, path) => `${other.url}${path}`)(scene);
    },
    verdict: { code: "Unauthenticated", says: /answered 401|refuse/ },
  },
  {
    name: "redirects there and back again, with the login known",
    behave: (scene) => {
      scene.other.behave(to(({ double }) => `${double.url}/open`)(scene));
      return afterLogin(({ other }) => ({ request, response, serve, honest }) => {
        if (request.path === "/open") serve(scene.image.manifest);
        else if (request.kind !== "manifest") honest();
        else response.writeHead(307, { location: `${other.url}${request.path}` }).end();
      })(scene);
    },
    verdict: "pulled",
    seen: ({ double }) => {
      const back = double.requests.find(({ path }) => path === "/open");
      if (back === undefined || back.headers.authorization !== undefined) throw new Error("the login came back");
    },
  },
  {
    name: "redirects layers to signed URLs that have expired",
    behave: (scene) => {
      scene.other.behave(
        ({ response }) => void response.writeHead(403).end("<Code>AccessDenied</Code> Request has expired"),
      );
      return to(({ other, secrets }, path) => `${other.url}${path}?sig=${secrets.signature}`, "layer")(scene);
    },
    verdict: { code: "RegistryUnavailable", says: /storage refused a signed URL: .*answered 403.*expired/ },
  },
  {
    name: "redirects layers to a storage that serves something else",
    behave: (scene) => {
      scene.other.behave(({ response }) => void response.writeHead(200).end("<html>"));
      return to(({ other, secrets }) => `${other.url}/bucket?sig=${secrets.signature}`, "layer")(scene);
    },
    verdict: { code: "DataLoss", says: /\/bucket" sent only 6 bytes of blob/ },
  },
  {
    name: "redirects layers to a storage that breaks again and again",
    behave: (scene) => {
      scene.other.behave(({ request, response, socket }) => {
        const body = Buffer.from(request.content?.bytes ?? []);
        const start = Number(/^bytes=(\d+)-/.exec(String(request.headers.range))?.[1] ?? 0);
        const range =
          request.headers.range === undefined
            ? {}
            : { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` };
        response.writeHead(start === 0 ? 200 : 206, { "content-length": body.length - start, ...range });
        response.write(body.subarray(start, start + 70_000), () => setTimeout(() => socket.destroy(), 20));
      });
      return to(({ other, secrets }, path) => `${other.url}${path}?sig=${secrets.signature}`, "layer")(scene);
    },
    verdict: "pulled",
  },
  {
    name: "writes a second header into Location",
    behave: to(({ other }) => `${other.url}/x\rx-evil: 1`),
    verdict: { code: "RegistryUnavailable", says: /failed/ },
    seen: untouched,
  },
];
