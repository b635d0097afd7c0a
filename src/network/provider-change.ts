import { AgentError } from "../common/errors.ts";
import type { Database } from "../state/database.ts";

/** Where each provider keeps the records of pods' interfaces. */
const tables = { "local-vpc": "enis", cni: "attachments" } as const;

/**
 * Holds a new provider back while another one's interfaces are there: only that one can take them away.
 * @throws AgentError FailedPrecondition naming it
 */
export function refuseProviderChange(database: Database, provider: keyof typeof tables): void {
  for (const [other, table] of Object.entries(tables)) {
    if (other === provider) continue;
    const count = Number(database.get(`SELECT count(*) AS count FROM ${table}`)?.["count"] ?? 0);
    if (count === 0) continue;
    throw new AgentError(
      "FailedPrecondition",
      `Cannot use network.provider "${provider}": ${count} pods have interfaces of "${other}", and must be removed under that one first`,
    );
  }
}
