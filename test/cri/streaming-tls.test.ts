import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Certificates } from "../support/certificates.ts";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const directory = mkdtempSync(join(tmpdir(), "podling-streaming-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "openssl"))(
  "streams on an address for other machines",
  () => {
    const certificates = new Certificates(join(directory, "certs"));
    certificates.make("node", { names: "DNS:localhost" });
    certificates.make("client", { usage: "clientAuth" });
    const file = (name: string) => join(certificates.directory, name);
    const streaming = { address: "0.0.0.0:0", cert: file("node.crt"), key: file("node.key") };
    const world = useWorld({ overrides: { streaming } });

    test.each(["spdy", "websocket"])("crictl exec over %s trusts the authority it is told", async (transport) => {
      const { crictl, client } = world();
      const { containerId } = await runContainer(world());
      // crictl wants a certificate of its own as well; the agent asks for none.
      const own = ["--tls-cert", file("client.crt"), "--tls-key", file("client.key")];
      const exec = (authority: string) =>
        ["exec", "-r", transport, "--tls-ca", file(authority), ...own, containerId, "echo", "over TLS"] as const;
      expect(await crictl.run(...exec("authority.crt"))).toBe("over TLS");
      expect(await crictl.refused(...exec("foreign-authority.crt"))).toContain("certificate");
      // The URL leads to the machine, not to whoever asks.
      const { url } = await client.call("Exec", { container_id: containerId, cmd: ["true"], stdout: true });
      const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
      const { protocol, hostname } = new URL(url);
      expect(protocol).toBe("https:");
      expect(addresses.find(({ address }) => address === hostname)?.internal ?? true).toBe(
        addresses.every(({ internal }) => internal),
      );
    });
  },
);
