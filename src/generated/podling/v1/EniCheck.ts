// Original file: proto/podling/v1/admin.proto

import type { Eni as _podling_v1_Eni, Eni__Output as _podling_v1_Eni__Output } from '../../podling/v1/Eni.ts';

export interface EniCheck {
  'eni'?: (_podling_v1_Eni | null);
  /**
   * How the kernel differs from the record; empty: it does not.
   */
  'differences'?: (string)[];
}

export interface EniCheck__Output {
  'eni': (_podling_v1_Eni__Output | null);
  /**
   * How the kernel differs from the record; empty: it does not.
   */
  'differences': (string)[];
}
