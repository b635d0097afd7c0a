// Original file: proto/podling/v1/admin.proto


export interface DeleteImageCacheRequest {
  /**
   * Its id or name.
   */
  'image_cache'?: (string);
}

export interface DeleteImageCacheRequest__Output {
  /**
   * Its id or name.
   */
  'image_cache': (string);
}
