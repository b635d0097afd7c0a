// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * An address that is not free.
 */
export interface NetworkAddress {
  'address'?: (string);
  'vswitch'?: (string);
  /**
   * "used", "held" for the next pod of a name, or "cooling" after its last one.
   */
  'state'?: (string);
  /**
   * The interface that has it or had it last.
   */
  'eni'?: (string);
  /**
   * The pod that has it or is to get it, as "namespace/name"; empty: nobody.
   */
  'pod'?: (string);
  /**
   * Seconds since 1970 at which it becomes free; 0 while it is used.
   */
  'free_at'?: (number | string | Long);
}

/**
 * An address that is not free.
 */
export interface NetworkAddress__Output {
  'address': (string);
  'vswitch': (string);
  /**
   * "used", "held" for the next pod of a name, or "cooling" after its last one.
   */
  'state': (string);
  /**
   * The interface that has it or had it last.
   */
  'eni': (string);
  /**
   * The pod that has it or is to get it, as "namespace/name"; empty: nobody.
   */
  'pod': (string);
  /**
   * Seconds since 1970 at which it becomes free; 0 while it is used.
   */
  'free_at': (string);
}
