import { getCACertificates, rootCertificates } from "node:tls";
import { Agent, type Dispatcher } from "undici";
import { type AddressRule, guardedLookup } from "./address-guard.ts";
import type { TransportSettings } from "./blob-source.ts";

const maxHeaderBytes = 16 * 1024;

/** Keep-alive connections to registries, apart for each combination of TLS settings and address rule. */
export class ConnectionPool implements AsyncDisposable {
  readonly #dispatchers = new Map<string, Dispatcher>();

  dispatcher(transport: TransportSettings, rule: AddressRule): Dispatcher {
    const key = JSON.stringify([rule, transport]);
    let dispatcher = this.#dispatchers.get(key);
    if (dispatcher === undefined) {
      dispatcher = connect(transport, rule);
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

function connect({ tls, dialTimeoutMs }: TransportSettings, rule: AddressRule): Dispatcher {
  return new Agent({
    allowH2: false,
    maxHeaderSize: maxHeaderBytes,
    connect: {
      lookup: guardedLookup(rule),
      timeout: dialTimeoutMs,
      rejectUnauthorized: !tls.skipVerify,
      // Node's `ca` replaces its defaults, while hosts.toml adds to them.
      ...(tls.ca.length > 0 && { ca: [...systemCertificates(), ...tls.ca] }),
      ...(tls.client.length > 0 && {
        cert: tls.client.map((pair) => pair.cert),
        key: tls.client.map((pair) => pair.key),
      }),
    },
  });
}

function systemCertificates(): readonly string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : rootCertificates;
}
