// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * A pod's interface.
 */
export interface Eni {
  'id'?: (string);
  /**
   * "allocating", "attached" or "releasing".
   */
  'state'?: (string);
  'pod_sandbox_id'?: (string);
  'namespace'?: (string);
  'name'?: (string);
  'vpc'?: (string);
  'vswitch'?: (string);
  'mac'?: (string);
  'ipv4'?: (string);
  /**
   * Empty: it has none.
   */
  'ipv6'?: (string);
  /**
   * Name of its end in the VPC's router.
   */
  'link'?: (string);
  'security_groups'?: (string)[];
  /**
   * Its address of the internet; empty: it has none.
   */
  'eip'?: (string);
  /**
   * Nanoseconds since 1970.
   */
  'created_at'?: (number | string | Long);
}

/**
 * A pod's interface.
 */
export interface Eni__Output {
  'id': (string);
  /**
   * "allocating", "attached" or "releasing".
   */
  'state': (string);
  'pod_sandbox_id': (string);
  'namespace': (string);
  'name': (string);
  'vpc': (string);
  'vswitch': (string);
  'mac': (string);
  'ipv4': (string);
  /**
   * Empty: it has none.
   */
  'ipv6': (string);
  /**
   * Name of its end in the VPC's router.
   */
  'link': (string);
  'security_groups': (string)[];
  /**
   * Its address of the internet; empty: it has none.
   */
  'eip': (string);
  /**
   * Nanoseconds since 1970.
   */
  'created_at': (string);
}
