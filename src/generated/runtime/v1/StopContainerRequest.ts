// Original file: proto/runtime/v1/api.proto

import type { Long } from '@grpc/proto-loader';

export interface StopContainerRequest {
  'container_id'?: (string);
  /**
   * Seconds between the stop signal and SIGKILL.
   */
  'timeout'?: (number | string | Long);
}

export interface StopContainerRequest__Output {
  'container_id': (string);
  /**
   * Seconds between the stop signal and SIGKILL.
   */
  'timeout': (string);
}
