import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { RegistryTrial } from "../images/registry-trial.ts";
import { Certificates } from "../support/certificates.ts";
import { silent, startTlsServers, type TlsServers, tlsCases } from "./registry/tls.ts";

describe("a registry over TLS", () => {
  const resources = new AsyncDisposableStack();
  let trial: RegistryTrial;
  let servers: TlsServers;
  let authority = "";

  beforeAll(async () => {
    trial = resources.use(await RegistryTrial.start());
    const certificates = new Certificates(join(trial.directory, "tls"));
    authority = join(certificates.directory, "authority.crt");
    servers = await startTlsServers(certificates, trial.scene);
    for (const server of Object.values(servers)) resources.use(server);
    resources.use(await silent.start());
  });
  afterAll(() => resources.disposeAsync());

  // The table's names are known before its servers are.
  const names = tlsCases({} as TlsServers, "").map(({ name }) => name);
  test.each(names)("that %s", async (name) => {
    const found = tlsCases(servers, authority).find((tlsCase) => tlsCase.name === name);
    if (found !== undefined) await trial.run(found);
  });
});
