/** What a blocking worker can be asked to do: system calls that may keep their thread for as long as a disk likes. */
export type BlockingCommand =
  /** umount2(2); `flags` as there. What is no mount point, or is gone, counts as done. */
  | { readonly kind: "unmount"; readonly target: string; readonly flags: number }
  /** Removes a directory with all below it; gone counts as done. */
  | { readonly kind: "removeTree"; readonly path: string };

/** What the main thread sends, and what it gets back. */
export interface BlockingRequest {
  readonly id: number;
  readonly command: BlockingCommand;
}

export interface BlockingAnswer {
  readonly id: number;
  readonly error: { readonly message: string; readonly errno: string | undefined } | undefined;
}
