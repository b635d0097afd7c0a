import { pino } from "pino";

/** Structured log: constant text, values as fields. One JSON line per record on standard error. */
export interface Log {
  debug(fields: object, msg: string): void;
  info(fields: object, msg: string): void;
  warn(fields: object, msg: string): void;
  error(fields: object, msg: string): void;
  /** A log whose every line carries these fields as well. */
  child(fields: object): Log;
}

/** Credentials never reach a line: these keys are replaced wherever they appear in the first three levels. */
const redacted = ["auth", "password", "identityToken", "registryToken", "authorization", "token"];

/** @param level pino level name: trace, debug, info, warn, error or silent */
export function createLog(level = "info"): Log {
  return pino(
    {
      level,
      base: null,
      redact: redacted.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
