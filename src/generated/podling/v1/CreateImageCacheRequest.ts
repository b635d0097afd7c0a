// Original file: proto/podling/v1/admin.proto

import type { ImageCacheSpec as _podling_v1_ImageCacheSpec, ImageCacheSpec__Output as _podling_v1_ImageCacheSpec__Output } from '../../podling/v1/ImageCacheSpec.ts';
import type { ImageRegistryCredential as _podling_v1_ImageRegistryCredential, ImageRegistryCredential__Output as _podling_v1_ImageRegistryCredential__Output } from '../../podling/v1/ImageRegistryCredential.ts';

export interface CreateImageCacheRequest {
  /**
   * From 1 to 253 of a-z, 0-9, - and dot.
   */
  'name'?: (string);
  'spec'?: (_podling_v1_ImageCacheSpec | null);
  /**
   * At most 10.
   */
  'image_registry_credentials'?: (_podling_v1_ImageRegistryCredential)[];
}

export interface CreateImageCacheRequest__Output {
  /**
   * From 1 to 253 of a-z, 0-9, - and dot.
   */
  'name': (string);
  'spec': (_podling_v1_ImageCacheSpec__Output | null);
  /**
   * At most 10.
   */
  'image_registry_credentials': (_podling_v1_ImageRegistryCredential__Output)[];
}
