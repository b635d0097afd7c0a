// Original file: proto/runtime/v1/api.proto


export interface ExecSyncResponse {
  /**
   * First 16 MiB.
   */
  'stdout'?: (Buffer | Uint8Array | string);
  /**
   * First 16 MiB.
   */
  'stderr'?: (Buffer | Uint8Array | string);
  'exit_code'?: (number);
}

export interface ExecSyncResponse__Output {
  /**
   * First 16 MiB.
   */
  'stdout': (Buffer);
  /**
   * First 16 MiB.
   */
  'stderr': (Buffer);
  'exit_code': (number);
}
