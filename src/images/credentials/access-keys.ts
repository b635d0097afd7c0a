import { readFile } from "node:fs/promises";
import { request } from "undici";
import type { AccessKey } from "../../common/acs-signature.ts";
import { AgentError } from "../../common/errors.ts";
import { field, type JsonObject, parseJsonDocument } from "../json-document.ts";

/** Gives the access key of the moment. @throws AgentError FailedPrecondition, Unavailable */
export type AccessKeySource = (signal: AbortSignal) => Promise<AccessKey>;

const maxAnswerBytes = 64 * 1024;
const metadataTimeoutMs = 5_000;
/** A temporary key is fetched anew when it has less than this left. */
const marginMs = 10 * 60_000;

/**
 * A key in a JSON file `{"accessKeyId", "accessKeySecret", "securityToken"}`, read anew each time, so that another program may
 * keep a temporary one fresh.
 */
export function accessKeyFile(path: string): AccessKeySource {
  const what = `access key file ${JSON.stringify(path)}`;
  return async () => {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (cause) {
      throw new AgentError("FailedPrecondition", `Cannot read the ${what}`, { cause });
    }
    const json = parseJsonDocument(bytes, what);
    return readKey(json, ["accessKeyId", "accessKeySecret", "securityToken"], what);
  };
}

/**
 * The temporary key of the machine's own RAM role, from the metadata service of its cloud (in its hardened mode, with a token).
 * @param endpoint such as "http://100.100.100.200"
 */
export function ramRoleKey(endpoint: string, role: string, nowMs: () => number): AccessKeySource {
  const what = `metadata service's answer for RAM role ${JSON.stringify(role)}`;
  let kept: { readonly key: AccessKey; readonly expiresMs: number } | undefined;
  return async (signal) => {
    if (kept !== undefined && kept.expiresMs - marginMs > nowMs()) return kept.key;
    const token = await ask(
      endpoint,
      "PUT",
      "/latest/api/token",
      { "x-aliyun-ecs-metadata-token-ttl-seconds": "60" },
      signal,
    );
    const path = `/latest/meta-data/ram/security-credentials/${encodeURIComponent(role)}`;
    const answer = await ask(endpoint, "GET", path, { "x-aliyun-ecs-metadata-token": token.trim() }, signal);
    const json = parseJsonDocument(Buffer.from(answer), what);
    const key = readKey(json, ["AccessKeyId", "AccessKeySecret", "SecurityToken"], what);
    const expiresMs = Date.parse(String(field(json, "Expiration")));
    kept = { key, expiresMs: Number.isNaN(expiresMs) ? 0 : expiresMs };
    return key;
  };
}

/** Not by the registries' connections: those refuse metadata addresses, whoever names them. */
async function ask(
  endpoint: string,
  method: "GET" | "PUT",
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const url = `${endpoint}${path}`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(metadataTimeoutMs)]);
  try {
    const response = await request(url, { method, headers, signal: limit });
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of response.body as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxAnswerBytes) throw new AgentError("Unavailable", "the answer is too long");
      parts.push(part);
    }
    if (response.statusCode !== 200) throw new AgentError("Unavailable", `it answered ${response.statusCode}`);
    return Buffer.concat(parts).toString();
  } catch (cause) {
    throw new AgentError("Unavailable", `Asking the metadata service at ${JSON.stringify(url)} failed`, { cause });
  }
}

function readKey(json: JsonObject, [id, secret, token]: readonly [string, string, string], what: string): AccessKey {
  const texts = [id, secret, token].map((name) => field(json, name) ?? "");
  const [idText, secretText, tokenText] = texts;
  const isSafe = (text: unknown): text is string => typeof text === "string" && /^[\x21-\x7e]*$/.test(text);
  if (!isSafe(idText) || !isSafe(secretText) || !isSafe(tokenText) || idText === "" || secretText === "") {
    throw new AgentError(
      "FailedPrecondition",
      `Invalid ${what}: it must hold ${id} and ${secret}, and may hold ${token}`,
    );
  }
  return { id: idText, secret: secretText, securityToken: tokenText };
}
