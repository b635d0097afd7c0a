import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** One signed call as the API has accepted it. */
export interface AcrCall {
  readonly action: string;
  readonly instanceId: string;
  readonly regionId: string;
}

export interface AcrDoubleOptions {
  readonly key: { readonly id: string; readonly secret: string; readonly securityToken: string };
  /** What GetAuthorizationToken gives. */
  readonly login: { readonly username: string; readonly password: string };
  /** Hosts by instance; of others there are none, and no logins. */
  readonly domains: ReadonlyMap<string, readonly string[]>;
  readonly tokenLifeMs?: number;
}

/**
 * Container Registry's API and a machine's metadata service in one server. It recomputes each signature from the request as it
 * came, by the cloud's documentation, and takes no nonce twice and no date that is 15 minutes off.
 */
export class AcrDouble implements AsyncDisposable {
  readonly calls: AcrCall[] = [];
  /** How often the metadata service gave the key. */
  keysGiven = 0;
  readonly #options: AcrDoubleOptions;
  readonly #server: Server;
  readonly #nonces = new Set<string>();

  private constructor(options: AcrDoubleOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { status, body } = this.#answer(request, Buffer.concat(parts));
        response.writeHead(status, { "content-type": "application/json" }).end(body);
      });
    });
  }

  static async start(options: AcrDoubleOptions): Promise<AcrDouble> {
    const double = new AcrDouble(options);
    await new Promise<void>((resolve) => double.#server.listen(0, "127.0.0.1", resolve));
    return double;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, body: Buffer): { readonly status: number; readonly body: string } {
    const url = new URL(request.url ?? "/", this.url);
    if (url.pathname !== "/") return this.#metadata(request, url);
    const fault = this.#signatureFault(request, url, body);
    if (fault !== undefined) {
      return { status: 400, body: JSON.stringify({ Code: fault, Message: `secrets: ${this.#options.key.secret}` }) };
    }
    const action = String(request.headers["x-acs-action"]);
    const instanceId = url.searchParams.get("InstanceId") ?? "";
    const regionId = url.searchParams.get("RegionId") ?? "";
    this.calls.push({ action, instanceId, regionId });
    const domains = this.#options.domains.get(instanceId);
    const { login, tokenLifeMs = 3_600_000 } = this.#options;
    if (domains === undefined)
      return { status: 404, body: JSON.stringify({ Code: "INSTANCE_NOT_EXIST", IsSuccess: false }) };
    const good = { RequestId: "r", Code: "success", IsSuccess: true };
    if (action === "GetAuthorizationToken") {
      const token = {
        TempUsername: login.username,
        AuthorizationToken: login.password,
        ExpireTime: Date.now() + tokenLifeMs,
      };
      return { status: 200, body: JSON.stringify({ ...good, ...token }) };
    }
    if (action !== "ListInstanceEndpoint")
      return { status: 404, body: JSON.stringify({ Code: "InvalidAction.NotFound" }) };
    const Endpoints = [{ EndpointType: "internet", Domains: domains.map((Domain) => ({ Domain, Type: "SYSTEM" })) }];
    return { status: 200, body: JSON.stringify({ ...good, Endpoints }) };
  }

  #metadata(request: IncomingMessage, url: URL): { readonly status: number; readonly body: string } {
    if (request.method === "PUT" && url.pathname === "/latest/api/token") return { status: 200, body: "meta-token" };
    const isRole = url.pathname === "/latest/meta-data/ram/security-credentials/puller";
    if (!isRole || request.headers["x-aliyun-ecs-metadata-token"] !== "meta-token") return { status: 403, body: "" };
    this.keysGiven++;
    const { id, secret, securityToken } = this.#options.key;
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    const key = { AccessKeyId: id, AccessKeySecret: secret, SecurityToken: securityToken, Expiration, Code: "Success" };
    return { status: 200, body: JSON.stringify(key) };
  }

  #signatureFault(request: IncomingMessage, url: URL, body: Buffer): string | undefined {
    const { headers } = request;
    const { id, secret, securityToken } = this.#options.key;
    const [, credential, names = "", signature] =
      /^ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})$/.exec(
        String(headers.authorization),
      ) ?? [];
    if (credential !== id) return "InvalidAccessKeyId.NotFound";
    const must = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-acs-"));
    if (must.some((name) => !names.split(";").includes(name))) return "IncompleteSignature";
    if (headers["x-acs-version"] !== "2018-12-01") return "InvalidVersion";
    if (String(headers["x-acs-security-token"] ?? "") !== securityToken) return "InvalidSecurityToken";
    const payload = createHash("sha256").update(body).digest("hex");
    if (headers["x-acs-content-sha256"] !== payload) return "InvalidContentSha256";
    const pairs = url.search
      .slice(1)
      .split("&")
      .filter((pair) => pair !== "");
    const lines = names.split(";").map((name) => `${name}:${String(headers[name]).trim()}`);
    const canonical = `${request.method}\n/\n${pairs.toSorted().join("&")}\n${lines.join("\n")}\n\n${names}\n${payload}`;
    const digest = createHash("sha256").update(canonical).digest("hex");
    const wanted = createHmac("sha256", secret).update(`ACS3-HMAC-SHA256\n${digest}`).digest("hex");
    if (signature !== wanted) return "SignatureDoesNotMatch";
    if (Math.abs(Date.parse(String(headers["x-acs-date"])) - Date.now()) > 900_000) return "InvalidTimeStamp.Expired";
    const nonce = String(headers["x-acs-signature-nonce"]);
    if (this.#nonces.has(nonce)) return "SignatureNonceUsed";
    this.#nonces.add(nonce);
    return undefined;
  }
}
