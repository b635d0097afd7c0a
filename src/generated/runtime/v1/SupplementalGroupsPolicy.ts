// Original file: proto/runtime/v1/api.proto

/**
 * Where a process's further groups come from.
 */
export const SupplementalGroupsPolicy = {
  /**
   * The list and the groups the image's /etc/group names for the user.
   */
  Merge: 'Merge',
  /**
   * The list only.
   */
  Strict: 'Strict',
} as const;

/**
 * Where a process's further groups come from.
 */
export type SupplementalGroupsPolicy =
  /**
   * The list and the groups the image's /etc/group names for the user.
   */
  | 'Merge'
  | 0
  /**
   * The list only.
   */
  | 'Strict'
  | 1

/**
 * Where a process's further groups come from.
 */
export type SupplementalGroupsPolicy__Output = typeof SupplementalGroupsPolicy[keyof typeof SupplementalGroupsPolicy]
