// Original file: proto/runtime/v1/api.proto


/**
 * An environment variable.
 */
export interface KeyValue {
  'key'?: (string);
  /**
   * Bytes, for a variable need not be UTF-8.
   */
  'value'?: (Buffer | Uint8Array | string);
}

/**
 * An environment variable.
 */
export interface KeyValue__Output {
  'key': (string);
  /**
   * Bytes, for a variable need not be UTF-8.
   */
  'value': (Buffer);
}
