// Original file: proto/podling/v1/admin.proto


export interface WatchImageCachesRequest {
  /**
   * Only the cache of this id or name, NotFound without it; empty: every cache.
   */
  'image_cache'?: (string);
}

export interface WatchImageCachesRequest__Output {
  /**
   * Only the cache of this id or name, NotFound without it; empty: every cache.
   */
  'image_cache': (string);
}
