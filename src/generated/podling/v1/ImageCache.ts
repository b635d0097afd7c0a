// Original file: proto/podling/v1/admin.proto

import type { ImageCacheSpec as _podling_v1_ImageCacheSpec, ImageCacheSpec__Output as _podling_v1_ImageCacheSpec__Output } from '../../podling/v1/ImageCacheSpec.ts';
import type { ImageCacheEvent as _podling_v1_ImageCacheEvent, ImageCacheEvent__Output as _podling_v1_ImageCacheEvent__Output } from '../../podling/v1/ImageCacheEvent.ts';
import type { CachedImage as _podling_v1_CachedImage, CachedImage__Output as _podling_v1_CachedImage__Output } from '../../podling/v1/CachedImage.ts';

export interface ImageCache {
  /**
   * "imc-" and 20 letters and digits.
   */
  'image_cache_id'?: (string);
  'name'?: (string);
  /**
   * "manifest", "admin" or "pod": who had it made.
   */
  'origin'?: (string);
  'spec'?: (_podling_v1_ImageCacheSpec | null);
  /**
   * "Preparing", "Creating", "Ready", "Failed", "Updating" or "UpdateFailed". Only Ready serves pods.
   */
  'phase'?: (string);
  /**
   * Such as "100%".
   */
  'progress'?: (string);
  'start_time'?: (string);
  'last_update_time'?: (string);
  /**
   * Empty: never.
   */
  'expire_date_time'?: (string);
  /**
   * When a pod was last given it; empty: none was.
   */
  'last_matched_time'?: (string);
  /**
   * The newest 20, oldest first.
   */
  'events'?: (_podling_v1_ImageCacheEvent)[];
  /**
   * What it holds, also while it is being made.
   */
  'images'?: (_podling_v1_CachedImage)[];
}

export interface ImageCache__Output {
  /**
   * "imc-" and 20 letters and digits.
   */
  'image_cache_id': (string);
  'name': (string);
  /**
   * "manifest", "admin" or "pod": who had it made.
   */
  'origin': (string);
  'spec': (_podling_v1_ImageCacheSpec__Output | null);
  /**
   * "Preparing", "Creating", "Ready", "Failed", "Updating" or "UpdateFailed". Only Ready serves pods.
   */
  'phase': (string);
  /**
   * Such as "100%".
   */
  'progress': (string);
  'start_time': (string);
  'last_update_time': (string);
  /**
   * Empty: never.
   */
  'expire_date_time': (string);
  /**
   * When a pod was last given it; empty: none was.
   */
  'last_matched_time': (string);
  /**
   * The newest 20, oldest first.
   */
  'events': (_podling_v1_ImageCacheEvent__Output)[];
  /**
   * What it holds, also while it is being made.
   */
  'images': (_podling_v1_CachedImage__Output)[];
}
