// Original file: proto/runtime/v1/api.proto


/**
 * Names one container within its sandbox.
 */
export interface ContainerMetadata {
  'name'?: (string);
  /**
   * Counts restarts.
   */
  'attempt'?: (number);
}

/**
 * Names one container within its sandbox.
 */
export interface ContainerMetadata__Output {
  'name': (string);
  /**
   * Counts restarts.
   */
  'attempt': (number);
}
