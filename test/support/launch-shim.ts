import { createLog } from "../../src/common/log.ts";
import { type LaunchRequest, ShimLauncher, type ShimLauncherDeps } from "../../src/runtime/shim-launcher.ts";

/**
 * A process that launches a shim and ends, wherever PODLING_FAILPOINT says; for tests of what is left then.
 * Its one argument is a JSON array: the launcher's dependencies but the log, and the request.
 */
const [deps, request]: [Omit<ShimLauncherDeps, "log">, LaunchRequest] = JSON.parse(process.argv[2] ?? "[]");
await new ShimLauncher({ ...deps, log: createLog("silent") }).launch(request);
process.exit(0);
