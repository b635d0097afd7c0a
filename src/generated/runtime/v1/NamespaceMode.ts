// Original file: proto/runtime/v1/api.proto

/**
 * Whose namespace a container uses.
 */
export const NamespaceMode = {
  /**
   * Shared by the pod's containers.
   */
  POD: 'POD',
  /**
   * One of its own.
   */
  CONTAINER: 'CONTAINER',
  /**
   * The host's.
   */
  NODE: 'NODE',
  /**
   * That of the container target_id; PID namespaces only.
   */
  TARGET: 'TARGET',
} as const;

/**
 * Whose namespace a container uses.
 */
export type NamespaceMode =
  /**
   * Shared by the pod's containers.
   */
  | 'POD'
  | 0
  /**
   * One of its own.
   */
  | 'CONTAINER'
  | 1
  /**
   * The host's.
   */
  | 'NODE'
  | 2
  /**
   * That of the container target_id; PID namespaces only.
   */
  | 'TARGET'
  | 3

/**
 * Whose namespace a container uses.
 */
export type NamespaceMode__Output = typeof NamespaceMode[keyof typeof NamespaceMode]
