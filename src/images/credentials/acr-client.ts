import { randomUUID } from "node:crypto";
import { signAcsCall } from "../../common/acs-signature.ts";
import { AgentError } from "../../common/errors.ts";
import { defaultTransport, type TransferLimits } from "../blob-source.ts";
import type { ConnectionPool } from "../connection-pool.ts";
import { field, type JsonObject, parseJsonDocument, readList, readObject } from "../json-document.ts";
import { readBody } from "../limited-body.ts";
import { sendRequest } from "../registry-http.ts";
import type { AccessKeySource } from "./access-keys.ts";

/** One Enterprise instance of Alibaba Cloud's Container Registry. */
export interface AcrInstance {
  /** Such as "cri-kmsiwlxxdcva****". */
  readonly instanceId: string;
  readonly regionId: string;
}

/** A login for an instance that lasts an hour at most. */
export interface AcrToken {
  readonly username: string;
  readonly password: string;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

export interface AcrClientDependencies {
  readonly pool: ConnectionPool;
  readonly limits: TransferLimits;
  readonly accessKey: AccessKeySource;
  /** URL of the API; "{region}" in it stands for the instance's region. */
  readonly endpoint: string;
  readonly nowMs: () => number;
}

const apiVersion = "2018-12-01";
const maxAnswerBytes = 256 * 1024;
const callTimeoutMs = 30_000;

/** Asks Container Registry's API, with signed requests. */
export class AcrClient {
  readonly #dependencies: AcrClientDependencies;

  constructor(dependencies: AcrClientDependencies) {
    this.#dependencies = dependencies;
  }

  /** GetAuthorizationToken: a temporary login. @throws AgentError without any secret */
  async authorizationToken(instance: AcrInstance, signal: AbortSignal): Promise<AcrToken> {
    const answer = await this.#call("GetAuthorizationToken", instance, signal);
    const [username, password, expiresMs] = ["TempUsername", "AuthorizationToken", "ExpireTime"].map((name) =>
      field(answer, name),
    );
    if (typeof username !== "string" || typeof password !== "string" || username === "" || password === "") {
      throw unusable("GetAuthorizationToken", "it holds no TempUsername and AuthorizationToken");
    }
    return { username, password, expiresMs: typeof expiresMs === "number" ? expiresMs : 0 };
  }

  /** ListInstanceEndpoint: the hosts under which the instance serves images. @throws AgentError without any secret */
  async domains(instance: AcrInstance, signal: AbortSignal): Promise<readonly string[]> {
    const action = "ListInstanceEndpoint";
    const answer = await this.#call(action, instance, signal);
    return readList(answer, "Endpoints", action, 100).flatMap((endpoint) =>
      readList(readObject(endpoint, action), "Domains", action, 100).flatMap((domain) => {
        const name = field(readObject(domain, action), "Domain");
        return typeof name === "string" && name !== "" ? [name.toLowerCase()] : [];
      }),
    );
  }

  async #call(action: string, { instanceId, regionId }: AcrInstance, signal: AbortSignal): Promise<JsonObject> {
    const { pool, limits, accessKey, endpoint, nowMs } = this.#dependencies;
    const both = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
    const url = new URL(endpoint.replaceAll("{region}", regionId));
    const call = {
      method: "POST",
      host: url.host,
      action,
      version: apiVersion,
      query: { InstanceId: instanceId, RegionId: regionId },
      date: new Date(nowMs()),
      nonce: randomUUID(),
    } as const;
    const { query, headers } = signAcsCall(call, await accessKey(both));
    const response = await sendRequest(pool, {
      method: call.method,
      url: `${url.origin}/?${query}`,
      headers: { accept: "application/json" },
      privateHeaders: headers,
      transport: defaultTransport,
      limits,
      followRedirects: false,
      signal: both,
    });
    const answer = parseJsonDocument(
      await readBody(response, maxAnswerBytes, `answer to ${action}`, both),
      `answer to ${action}`,
    );
    // The API's message may repeat what was signed; its code says enough.
    const code = /^[\w.]{1,100}$/.exec(String(field(answer, "Code") ?? ""))?.[0] ?? "no code";
    if (response.status !== 200 || field(answer, "IsSuccess") === false) {
      const why = `Container Registry's API refused ${action} for instance ${JSON.stringify(instanceId)}: ${response.status}, ${code}`;
      throw new AgentError(response.status >= 500 ? "Unavailable" : "PermissionDenied", why);
    }
    return answer;
  }
}

function unusable(action: string, why: string): AgentError {
  return new AgentError("Unavailable", `Container Registry's answer to ${action} can't be used: ${why}`);
}
