// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface LeaseImageResponse {
  'id'?: (string);
  /**
   * When the lease ends, in seconds since 1970.
   */
  'expires_at'?: (number | string | Long);
}

export interface LeaseImageResponse__Output {
  'id': (string);
  /**
   * When the lease ends, in seconds since 1970.
   */
  'expires_at': (string);
}
