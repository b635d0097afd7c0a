import { getCACertificates, rootCertificates } from "node:tls";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { type AddressRule, guardedLookup, isLoopbackHost } from "./address-guard.ts";
import type { TransportSettings } from "./blob-source.ts";

const maxHeaderBytes = 16 * 1024;

/** Keep-alive connections to registries, apart for each combination of TLS settings and address rule. */
export class ConnectionPool implements AsyncDisposable {
  readonly #dispatchers = new Map<string, Dispatcher>();

  /** @param hostname of the URL: this machine itself is never asked through a proxy */
  dispatcher(hostname: string, transport: TransportSettings, rule: AddressRule): Dispatcher {
    const direct = isLoopbackHost(hostname) || !hasProxy();
    const key = JSON.stringify([direct, rule, transport]);
    let dispatcher = this.#dispatchers.get(key);
    if (dispatcher === undefined) {
      dispatcher = connect(transport, rule, direct);
      this.#dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  }

  /** Drops every connection; transfers under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
  }
}

function connect({ tls, dialTimeoutMs }: TransportSettings, rule: AddressRule, direct: boolean): Dispatcher {
  const secure = {
    rejectUnauthorized: !tls.skipVerify,
    // Node's `ca` replaces its defaults, while hosts.toml adds to them.
    ...(tls.ca.length > 0 && { ca: [...systemCertificates(), ...tls.ca] }),
    ...(tls.client.length > 0 && {
      cert: tls.client.map((pair) => pair.cert),
      key: tls.client.map((pair) => pair.key),
    }),
  };
  const options = {
    allowH2: false,
    maxHeaderSize: maxHeaderBytes,
    connect: { lookup: guardedLookup(rule), timeout: dialTimeoutMs, ...secure },
  };
  if (direct) return new Agent(options);
  // The proxy's own address is the administrator's word and needs no guard; the registry's name is resolved by the proxy.
  return new EnvHttpProxyAgent({ ...options, requestTls: secure });
}

function hasProxy(): boolean {
  return ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"].some((name) => (process.env[name] ?? "") !== "");
}

function systemCertificates(): readonly string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : rootCertificates;
}
