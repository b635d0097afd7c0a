import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeHandler } from "../../src/runtime/runtime-handler.ts";

const newShim = join(import.meta.dirname, "../../tools/bin/containerd-shim-runc-v2");
const debianShim = "/usr/bin/containerd-shim-runc-v2";
const crun = join(import.meta.dirname, "crun-hybrid.sh");

/**
 * Every shim and runtime of this machine that the kernel tests go through: Debian's shim (task v2, text bootstrap) with
 * runc and crun, and the newer one that `make tools` builds (task v3, protobuf bootstrap). PODLING_TEST_SHIM adds one
 * more, for instance of containerd 2.1 (JSON bootstrap), which an empty Go module builds:
 * `go get -tool github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@v2.1.5`, then `go build` of the same.
 */
export function shimRuntimes(): ReadonlyArray<readonly [name: string, handler: RuntimeHandler]> {
  const found: Array<readonly [string, RuntimeHandler]> = [
    ["Debian's shim with runc", { name: "runc", shim: debianShim, binary: "runc" }],
    ["Debian's shim with crun", { name: "crun", shim: debianShim, binary: crun }],
  ];
  if (existsSync(newShim))
    found.push(["containerd 2.3's shim with runc", { name: "runc", shim: newShim, binary: "runc" }]);
  const extra = process.env["PODLING_TEST_SHIM"];
  if (extra !== undefined) found.push([`${extra} with runc`, { name: "runc", shim: extra, binary: "runc" }]);
  return found;
}
