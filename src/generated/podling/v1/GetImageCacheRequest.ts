// Original file: proto/podling/v1/admin.proto


export interface GetImageCacheRequest {
  /**
   * Its id or name.
   */
  'image_cache'?: (string);
}

export interface GetImageCacheRequest__Output {
  /**
   * Its id or name.
   */
  'image_cache': (string);
}
