// Original file: proto/runtime/v1/api.proto

export const CgroupDriver = {
  /**
   * The zero value, so CGROUPFS must be said.
   */
  SYSTEMD: 'SYSTEMD',
  CGROUPFS: 'CGROUPFS',
} as const;

export type CgroupDriver =
  /**
   * The zero value, so CGROUPFS must be said.
   */
  | 'SYSTEMD'
  | 0
  | 'CGROUPFS'
  | 1

export type CgroupDriver__Output = typeof CgroupDriver[keyof typeof CgroupDriver]
