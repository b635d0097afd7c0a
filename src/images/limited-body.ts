import { AgentError } from "../common/errors.ts";
import { connectionError, type HttpResponse, printableUrl } from "./registry-http.ts";

/**
 * Reads a small body to its end.
 * @throws AgentError DataLoss when it is longer than allowed or encoded, RegistryUnavailable when it breaks off
 */
export async function readBody(
  response: HttpResponse,
  maxBytes: number,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const tooLong = () =>
    new AgentError("DataLoss", `The ${what} of ${printableUrl(response.url)} is longer than ${maxBytes} bytes`);
  const encoding = response.header("content-encoding") ?? "identity";
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    if (encoding !== "identity") {
      const message = `The ${what} of ${printableUrl(response.url)} has Content-Encoding ${JSON.stringify(encoding.slice(0, 100))}: must be identity`;
      throw new AgentError("DataLoss", message);
    }
    if (Number(response.header("content-length") ?? 0) > maxBytes) throw tooLong();
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLong();
      parts.push(chunk);
    }
  } catch (error) {
    response.body.on("error", () => undefined).destroy();
    throw error instanceof AgentError ? error : connectionError("Reading", response.url, error, signal);
  }
  return Buffer.concat(parts, size);
}
