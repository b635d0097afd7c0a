// Original file: proto/runtime/v1/api.proto


/**
 * All four together name one sandbox.
 */
export interface PodSandboxMetadata {
  'name'?: (string);
  'uid'?: (string);
  'namespace'?: (string);
  /**
   * Counts the sandboxes of one pod.
   */
  'attempt'?: (number);
}

/**
 * All four together name one sandbox.
 */
export interface PodSandboxMetadata__Output {
  'name': (string);
  'uid': (string);
  'namespace': (string);
  /**
   * Counts the sandboxes of one pod.
   */
  'attempt': (number);
}
