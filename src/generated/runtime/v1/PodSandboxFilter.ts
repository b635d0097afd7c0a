// Original file: proto/runtime/v1/api.proto

import type { PodSandboxStateValue as _runtime_v1_PodSandboxStateValue, PodSandboxStateValue__Output as _runtime_v1_PodSandboxStateValue__Output } from '../../runtime/v1/PodSandboxStateValue.ts';

/**
 * All given parts must match.
 */
export interface PodSandboxFilter {
  /**
   * Full id or prefix.
   */
  'id'?: (string);
  'state'?: (_runtime_v1_PodSandboxStateValue | null);
  /**
   * Equal pairs; no expressions.
   */
  'label_selector'?: ({[key: string]: string});
}

/**
 * All given parts must match.
 */
export interface PodSandboxFilter__Output {
  /**
   * Full id or prefix.
   */
  'id': (string);
  'state': (_runtime_v1_PodSandboxStateValue__Output | null);
  /**
   * Equal pairs; no expressions.
   */
  'label_selector': ({[key: string]: string});
}
