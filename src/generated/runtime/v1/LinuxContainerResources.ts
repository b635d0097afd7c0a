// Original file: proto/runtime/v1/api.proto

import type { HugepageLimit as _runtime_v1_HugepageLimit, HugepageLimit__Output as _runtime_v1_HugepageLimit__Output } from '../../runtime/v1/HugepageLimit.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * Limits of a cgroup; 0 or empty: none given.
 */
export interface LinuxContainerResources {
  /**
   * Microseconds.
   */
  'cpu_period'?: (number | string | Long);
  /**
   * Microseconds of CPU in each period; -1: no limit.
   */
  'cpu_quota'?: (number | string | Long);
  /**
   * Relative weight, 1024 for one CPU.
   */
  'cpu_shares'?: (number | string | Long);
  'memory_limit_in_bytes'?: (number | string | Long);
  /**
   * -1000 to 1000.
   */
  'oom_score_adj'?: (number | string | Long);
  /**
   * List such as 0-3,7.
   */
  'cpuset_cpus'?: (string);
  'cpuset_mems'?: (string);
  'hugepage_limits'?: (_runtime_v1_HugepageLimit)[];
  /**
   * cgroup v2 files by name.
   */
  'unified'?: ({[key: string]: string});
  /**
   * Memory and swap together; -1: no limit.
   */
  'memory_swap_limit_in_bytes'?: (number | string | Long);
}

/**
 * Limits of a cgroup; 0 or empty: none given.
 */
export interface LinuxContainerResources__Output {
  /**
   * Microseconds.
   */
  'cpu_period': (string);
  /**
   * Microseconds of CPU in each period; -1: no limit.
   */
  'cpu_quota': (string);
  /**
   * Relative weight, 1024 for one CPU.
   */
  'cpu_shares': (string);
  'memory_limit_in_bytes': (string);
  /**
   * -1000 to 1000.
   */
  'oom_score_adj': (string);
  /**
   * List such as 0-3,7.
   */
  'cpuset_cpus': (string);
  'cpuset_mems': (string);
  'hugepage_limits': (_runtime_v1_HugepageLimit__Output)[];
  /**
   * cgroup v2 files by name.
   */
  'unified': ({[key: string]: string});
  /**
   * Memory and swap together; -1: no limit.
   */
  'memory_swap_limit_in_bytes': (string);
}
