// Original file: proto/runtime/v1/api.proto

import type { Long } from '@grpc/proto-loader';

/**
 * A number that may be absent.
 */
export interface Int64Value {
  'value'?: (number | string | Long);
}

/**
 * A number that may be absent.
 */
export interface Int64Value__Output {
  'value': (string);
}
