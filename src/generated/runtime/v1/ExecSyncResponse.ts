// Original file: proto/runtime/v1/api.proto


export interface ExecSyncResponse {
  /**
   * As much as fits: both outputs share one message of 16 MiB.
   */
  'stdout'?: (Buffer | Uint8Array | string);
  /**
   * As much as fits: both outputs share one message of 16 MiB.
   */
  'stderr'?: (Buffer | Uint8Array | string);
  'exit_code'?: (number);
}

export interface ExecSyncResponse__Output {
  /**
   * As much as fits: both outputs share one message of 16 MiB.
   */
  'stdout': (Buffer);
  /**
   * As much as fits: both outputs share one message of 16 MiB.
   */
  'stderr': (Buffer);
  'exit_code': (number);
}
