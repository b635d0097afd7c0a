// Original file: proto/podling/v1/admin.proto

import type { ImageCache as _podling_v1_ImageCache, ImageCache__Output as _podling_v1_ImageCache__Output } from '../../podling/v1/ImageCache.ts';

export interface ListImageCachesResponse {
  'image_caches'?: (_podling_v1_ImageCache)[];
}

export interface ListImageCachesResponse__Output {
  'image_caches': (_podling_v1_ImageCache__Output)[];
}
