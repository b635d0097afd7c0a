// Original file: proto/runtime/v1/api.proto

import type { Long } from '@grpc/proto-loader';

export interface HugepageLimit {
  /**
   * Such as 2MB or 1GB.
   */
  'page_size'?: (string);
  /**
   * Bytes.
   */
  'limit'?: (number | string | Long);
}

export interface HugepageLimit__Output {
  /**
   * Such as 2MB or 1GB.
   */
  'page_size': (string);
  /**
   * Bytes.
   */
  'limit': (string);
}
