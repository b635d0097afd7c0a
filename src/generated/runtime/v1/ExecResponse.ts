// Original file: proto/runtime/v1/api.proto


export interface ExecResponse {
  /**
   * Absolute, valid once and for a short time.
   */
  'url'?: (string);
}

export interface ExecResponse__Output {
  /**
   * Absolute, valid once and for a short time.
   */
  'url': (string);
}
