// Original file: proto/podling/v1/admin.proto

import type { ImageDecision as _podling_v1_ImageDecision, ImageDecision__Output as _podling_v1_ImageDecision__Output } from '../../podling/v1/ImageDecision.ts';
import type { Long } from '@grpc/proto-loader';

export interface CollectImagesResponse {
  /**
   * The file system of the images, after the collection.
   */
  'capacity_bytes'?: (number | string | Long);
  /**
   * What of it a process without privileges may use.
   */
  'available_bytes'?: (number | string | Long);
  /**
   * What was or would be removed, in that order, then what stays.
   */
  'decisions'?: (_podling_v1_ImageDecision)[];
  /**
   * Bytes that the low threshold asks for beyond what the removals free.
   */
  'missing_bytes'?: (number | string | Long);
}

export interface CollectImagesResponse__Output {
  /**
   * The file system of the images, after the collection.
   */
  'capacity_bytes': (string);
  /**
   * What of it a process without privileges may use.
   */
  'available_bytes': (string);
  /**
   * What was or would be removed, in that order, then what stays.
   */
  'decisions': (_podling_v1_ImageDecision__Output)[];
  /**
   * Bytes that the low threshold asks for beyond what the removals free.
   */
  'missing_bytes': (string);
}
