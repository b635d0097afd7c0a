// Original file: proto/podling/v1/admin.proto

import type { ImageCache as _podling_v1_ImageCache, ImageCache__Output as _podling_v1_ImageCache__Output } from '../../podling/v1/ImageCache.ts';

export interface ImageCacheChange {
  'image_cache'?: (_podling_v1_ImageCache | null);
  /**
   * The cache is gone; only its id is set then.
   */
  'deleted'?: (boolean);
}

export interface ImageCacheChange__Output {
  'image_cache': (_podling_v1_ImageCache__Output | null);
  /**
   * The cache is gone; only its id is set then.
   */
  'deleted': (boolean);
}
