/** One way to run containers, from the configuration's `[runtime.handlers.<name>]`. */
export interface RuntimeHandler {
  readonly name: string;
  /** A containerd runtime v2 shim: a path, or a name looked up in PATH. */
  readonly shim: string;
  /** The OCI runtime the shim runs: a path or a name; empty: the shim's own default, and no runc options. */
  readonly binary: string;
}
