import { createServer as createPlainServer, type Socket } from "node:net";
import { onlyFor, RegistryDouble } from "../../images/registry-double.ts";
import type { RegistryCase, Scene } from "../../images/registry-trial.ts";
import type { CertificateSpec, Certificates } from "../../support/certificates.ts";

const unavailable = (says: RegExp) => ({ code: "RegistryUnavailable", says }) as const;

/** Servers that the cases need, by what is special about them. */
const servers = {
  good: {},
  selfSigned: { by: "itself" },
  stranger: { by: "foreign-authority" },
  expired: { days: ["20200101000000Z", "20210101000000Z"] },
  early: { days: ["20480101000000Z", "20490101000000Z"] },
  otherName: { names: "DNS:registry.example,IP:127.0.0.9" },
  wildcard: { names: "DNS:*,DNS:*.0.0.1" },
  noName: { names: "email:a@b.example" },
  clientOnly: { usage: "clientAuth" },
} as const satisfies Readonly<Record<string, CertificateSpec>>;

export type TlsServers = Readonly<
  Record<keyof typeof servers | "old" | "wantsCertificate" | "elsewhere", RegistryDouble>
>;

/** Starts them all on loopback. */
export async function startTlsServers(certificates: Certificates, { image, secrets }: Scene): Promise<TlsServers> {
  const options = { image, login: { username: "pod-user", password: secrets.password } };
  const start = (tls: object, address?: string) =>
    RegistryDouble.start({ ...options, tls, ...(address && { address }) });
  const named = Object.entries(servers).map(
    async ([name, spec]) => [name, await start(certificates.make(name, spec))] as const,
  );
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
  return {
    ...(Object.fromEntries(await Promise.all(named)) as Record<keyof typeof servers, RegistryDouble>),
    old: await start({ ...certificates.make("old"), ...old }),
    wantsCertificate: await start({
      ...certificates.make("wants"),
      requestCert: true,
      rejectUnauthorized: true,
      ca: [],
    }),
    elsewhere: await start(certificates.make("elsewhere", { by: "itself", names: "IP:127.0.0.2" }), "127.0.0.2"),
  };
}

/** @param authority path of the certificate that hosts.toml trusts */
export function tlsCases(tls: TlsServers, authority: string): readonly RegistryCase[] {
  const trusting = (server: RegistryDouble, more = "") => ({
    from: () => server,
    hostsToml: () => `server = "${server.url}"\nca = "${authority}"\n${more}`,
  });
  const honest: RegistryCase["behave"] = () => (exchange) => exchange.honest();
  const refused = (name: string, server: RegistryDouble, says: RegExp): RegistryCase => ({
    name,
    ...trusting(server),
    behave: honest,
    verdict: unavailable(says),
    atMost: 0,
    staysBad: true,
  });
  return [
    {
      name: "shows a certificate that hosts.toml vouches for",
      ...trusting(tls.good),
      behave: honest,
      verdict: "pulled",
    },
    {
      name: "shows a certificate that nobody vouches for",
      from: () => tls.good,
      hostsToml: () => `server = "${tls.good.url}"\n`,
      behave: honest,
      verdict: unavailable(/127\.0\.0\.1:.*(unable to verify|unable to get local issuer|self-signed)/),
      atMost: 0,
      staysBad: true,
    },
    refused("shows a certificate that it signed itself", tls.selfSigned, /self-signed certificate/),
    refused("shows a certificate of another authority", tls.stranger, /unable to (verify|get)/),
    refused("shows a certificate that has expired", tls.expired, /certificate has expired/),
    refused("shows a certificate of the future", tls.early, /certificate is not yet valid/),
    refused("shows a certificate for another name", tls.otherName, /does not match certificate's altnames/),
    refused("shows a certificate for all names", tls.wildcard, /does not match certificate's altnames/),
    refused("shows a certificate for no host", tls.noName, /does not match certificate's altnames|CN/),
    refused(
      "shows a client's certificate",
      tls.clientOnly,
      /unsuitable certificate purpose|unsupported certificate purpose/,
    ),
    refused("speaks TLS 1.1 at most", tls.old, /protocol version|unsupported protocol/),
    {
      ...refused(
        "wants a certificate of who has none",
        tls.wantsCertificate,
        /certificate required|handshake|other side closed|ECONNRESET/,
      ),
      atMost: 1,
    },
    {
      name: "need not be checked, by hosts.toml",
      from: () => tls.selfSigned,
      hostsToml: () => `server = "${tls.selfSigned.url}"\nskip_verify = true\n`,
      behave: honest,
      verdict: "pulled",
    },
    {
      name: "need not be checked, and redirects to one that must",
      from: () => tls.selfSigned,
      hostsToml: () => `server = "${tls.selfSigned.url}"\nskip_verify = true\n`,
      behave: () =>
        onlyFor(
          "layer",
          ({ request, response }) =>
            void response.writeHead(307, { location: `${tls.elsewhere.url}${request.path}` }).end(),
        ),
      verdict: unavailable(/127\.0\.0\.2:.*(self-signed|unable to verify)/),
    },
    {
      name: "redirects to plain http",
      ...trusting(tls.good),
      behave: ({ other }) =>
        onlyFor(
          "layer",
          ({ request, response }) => void response.writeHead(307, { location: `${other.url}${request.path}` }).end(),
        ),
      verdict: {
        code: "PermissionDenied",
        says: /redirects to "http:\/\/127\.0\.0\.2:.*: leaving https is not allowed/,
      },
      seen: ({ other }) => {
        if (other.requests.length > 0) throw new Error("the other server was asked");
      },
    },
    {
      name: "names a token server without TLS",
      ...trusting(tls.good),
      behave:
        ({ double }) =>
        ({ response }) =>
          void response.writeHead(401, { "www-authenticate": `Bearer realm="${double.url}/token"` }).end(),
      verdict: { code: "PermissionDenied", says: /an https registry needs https/ },
      seen: ({ double }) => {
        if (double.requests.length > 0) throw new Error("the token server was asked");
      },
    },
    {
      name: "names a token server that shows a bad certificate",
      ...trusting(tls.good),
      behave:
        () =>
        ({ response }) =>
          void response.writeHead(401, { "www-authenticate": `Bearer realm="${tls.elsewhere.url}/token"` }).end(),
      verdict: unavailable(/127\.0\.0\.2:.*\/token" failed: .*self-signed/),
      seen: () => {
        if (tls.elsewhere.requests.length > 0) throw new Error("the token server was asked");
      },
    },
    {
      name: "speaks plain http where https is expected",
      from: ({ double }) => double,
      hostsToml: ({ double }) => `server = "https://${double.host}"\n`,
      behave: honest,
      verdict: unavailable(/wrong version number|packet length|ssl/i),
      atMost: 0,
      staysBad: true,
    },
    {
      name: "never shakes hands",
      from: ({ double }) => double,
      hostsToml: () => `server = "https://${silent.host}"\ndial_timeout = "300ms"\n`,
      behave: honest,
      // Whichever bound is met first: that of one try to connect, or that of the whole document.
      verdict: unavailable(/Connect Timeout|took longer than 2 seconds/i),
      staysBad: true,
    },
  ];
}

/** Takes connections and says nothing. */
export const silent = {
  host: "",
  async start(): Promise<AsyncDisposable> {
    const sockets = new Set<Socket>();
    const server = createPlainServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    silent.host = address === null || typeof address === "string" ? "" : `127.0.0.1:${address.port}`;
    return {
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      },
    };
  },
};
