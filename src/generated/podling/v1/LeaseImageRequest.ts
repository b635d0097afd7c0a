// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface LeaseImageRequest {
  /**
   * A name or id of the image, as CRI takes it.
   */
  'image'?: (string);
  /**
   * From 1 to 31536000, a year.
   */
  'duration_seconds'?: (number | string | Long);
}

export interface LeaseImageRequest__Output {
  /**
   * A name or id of the image, as CRI takes it.
   */
  'image': (string);
  /**
   * From 1 to 31536000, a year.
   */
  'duration_seconds': (string);
}
