// Original file: proto/podling/v1/admin.proto


export interface ImageCacheEvent {
  /**
   * "Normal" or "Warning".
   */
  'type'?: (string);
  'reason'?: (string);
  'message'?: (string);
  'count'?: (number);
  /**
   * RFC 3339, as all times of a cache.
   */
  'first_timestamp'?: (string);
  'last_timestamp'?: (string);
}

export interface ImageCacheEvent__Output {
  /**
   * "Normal" or "Warning".
   */
  'type': (string);
  'reason': (string);
  'message': (string);
  'count': (number);
  /**
   * RFC 3339, as all times of a cache.
   */
  'first_timestamp': (string);
  'last_timestamp': (string);
}
