// Original file: proto/podling/v1/admin.proto

import type { EniCheck as _podling_v1_EniCheck, EniCheck__Output as _podling_v1_EniCheck__Output } from '../../podling/v1/EniCheck.ts';

export interface CheckNetworkResponse {
  /**
   * One for each interface.
   */
  'enis'?: (_podling_v1_EniCheck)[];
  /**
   * What belongs to no interface.
   */
  'differences'?: (string)[];
  /**
   * What was compared.
   */
  'checks'?: (string)[];
}

export interface CheckNetworkResponse__Output {
  /**
   * One for each interface.
   */
  'enis': (_podling_v1_EniCheck__Output)[];
  /**
   * What belongs to no interface.
   */
  'differences': (string)[];
  /**
   * What was compared.
   */
  'checks': (string)[];
}
