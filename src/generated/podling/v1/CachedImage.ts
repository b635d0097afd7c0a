// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * An image that a cache holds.
 */
export interface CachedImage {
  /**
   * As the spec names it, in full.
   */
  'reference'?: (string);
  /**
   * The image's id, the digest of its configuration.
   */
  'id'?: (string);
  'layers'?: (number);
  /**
   * Its compressed size.
   */
  'size_bytes'?: (number | string | Long);
}

/**
 * An image that a cache holds.
 */
export interface CachedImage__Output {
  /**
   * As the spec names it, in full.
   */
  'reference': (string);
  /**
   * The image's id, the digest of its configuration.
   */
  'id': (string);
  'layers': (number);
  /**
   * Its compressed size.
   */
  'size_bytes': (string);
}
