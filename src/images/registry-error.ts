import { AgentError, type ErrorCode } from "../common/errors.ts";
import { type HttpResponse, printableUrl } from "./registry-http.ts";

const maxErrorBytes = 64 * 1024;
const maxShownCharacters = 300;
const readTimeoutMs = 5_000;

/** The error for an answer that is none, with what the registry says about it. Consumes the body. */
export async function registryError(action: string, response: HttpResponse): Promise<AgentError> {
  const said = shownText(await readLimited(response));
  const status = `${printableUrl(response.url)} answered ${response.status}`;
  return new AgentError(codeOf(response.status), `${action}: ${status}${said === "" ? "" : `: ${said}`}`);
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return "Unauthenticated";
  if (status === 403 || status === 451) return "PermissionDenied";
  if (status === 404) return "NotFound";
  return "RegistryUnavailable";
}

async function readLimited(response: HttpResponse): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  // The status is known; what a slow host would add is not worth more waiting.
  const timer = setTimeout(() => response.body.destroy(), readTimeoutMs);
  try {
    for await (const chunk of response.body) {
      parts.push(chunk);
      size += chunk.length;
      if (size >= maxErrorBytes) break;
    }
  } catch {
    // A body that breaks off says what it said.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(parts).toString("utf8", 0, Math.min(size, maxErrorBytes));
}

/** Codes and messages of a distribution error document, else the start of the text; one line, no query strings. */
export function shownText(body: string): string {
  const text = messages(body) ?? body;
  return (
    text
      .replace(/\?[^\s"'<>]*/g, "?…")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what a registry sends ends up in terminals and logs
      .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ")
      .trim()
      .slice(0, maxShownCharacters)
  );
}

function messages(body: string): string | undefined {
  try {
    const errors: unknown = JSON.parse(body)?.errors;
    if (!Array.isArray(errors)) return undefined;
    const shown = errors.slice(0, 3).map((entry) => {
      const parts = [entry?.code, entry?.message].filter((part) => typeof part === "string" && part !== "");
      return parts.join(": ");
    });
    return shown.filter((part) => part !== "").join("; ");
  } catch {
    return undefined;
  }
}
