import { createHash, createHmac } from "node:crypto";

/** A key of Alibaba Cloud's access management. Both secrets stay out of logs and errors. */
export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** Of temporary keys; "" for lasting ones. */
  readonly securityToken: string;
}

/** One call of an Alibaba Cloud API in RPC style: all parameters in the query, no body. */
export interface AcsCall {
  readonly method: "GET" | "POST";
  /** "host" or "host:port", as the Host header will have it. */
  readonly host: string;
  readonly action: string;
  /** Such as "2018-12-01". */
  readonly version: string;
  readonly query: Readonly<Record<string, string>>;
  readonly date: Date;
  /** Never used before. */
  readonly nonce: string;
}

const algorithm = "ACS3-HMAC-SHA256";

/**
 * Signs a call by Alibaba Cloud's signature version 3
 * (https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature).
 * @returns the query as it must be sent, and all headers but Host
 */
export function signAcsCall(
  call: AcsCall,
  key: AccessKey,
): { readonly query: string; readonly headers: Readonly<Record<string, string>> } {
  const query = canonicalQuery(call.query);
  const signed: Record<string, string> = {
    host: call.host,
    "x-acs-action": call.action,
    "x-acs-content-sha256": sha256(""),
    "x-acs-date": call.date.toISOString().replace(/\.\d+Z$/, "Z"),
    "x-acs-signature-nonce": call.nonce,
    "x-acs-version": call.version,
    ...(key.securityToken !== "" && { "x-acs-security-token": key.securityToken }),
  };
  const names = Object.keys(signed).sort();
  const headers = names.map((name) => `${name}:${signed[name]?.trim()}\n`).join("");
  const request = [call.method, "/", query, headers, names.join(";"), sha256("")].join("\n");
  const signature = createHmac("sha256", key.secret)
    .update(`${algorithm}\n${sha256(request)}`)
    .digest("hex");
  const { host: _host, ...sent } = signed;
  const authorization = `${algorithm} Credential=${key.id},SignedHeaders=${names.join(";")},Signature=${signature}`;
  return { query, headers: { ...sent, authorization } };
}

function canonicalQuery(parameters: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parameters).map(([name, value]) => [encode(name), encode(value)] as const);
  return pairs
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** RFC 3986: everything but letters, digits, '-', '_', '.' and '~'. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
