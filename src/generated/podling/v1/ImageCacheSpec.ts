// Original file: proto/podling/v1/admin.proto


/**
 * What a cache is to hold; the limits are those of the cloud's resource.
 */
export interface ImageCacheSpec {
  /**
   * References of 1 to 20 images.
   */
  'images'?: (string)[];
  /**
   * "namespace:secretName" each, at most 10.
   */
  'image_pull_secrets'?: (string)[];
  /**
   * What the unpacked images may take, in GiB, from 20 to 32768; 0: 20.
   */
  'image_cache_size'?: (number);
  /**
   * Days until the cache goes, at most 65536; 0: it stays.
   */
  'retention_days'?: (number);
  /**
   * Takes images that other Ready caches have as they are, without asking their registries.
   */
  'reuse'?: (boolean);
  /**
   * "": stays until it is deleted; "LRU": may go, the longest unused first, when there is no room for another cache.
   */
  'elimination_strategy'?: (string);
}

/**
 * What a cache is to hold; the limits are those of the cloud's resource.
 */
export interface ImageCacheSpec__Output {
  /**
   * References of 1 to 20 images.
   */
  'images': (string)[];
  /**
   * "namespace:secretName" each, at most 10.
   */
  'image_pull_secrets': (string)[];
  /**
   * What the unpacked images may take, in GiB, from 20 to 32768; 0: 20.
   */
  'image_cache_size': (number);
  /**
   * Days until the cache goes, at most 65536; 0: it stays.
   */
  'retention_days': (number);
  /**
   * Takes images that other Ready caches have as they are, without asking their registries.
   */
  'reuse': (boolean);
  /**
   * "": stays until it is deleted; "LRU": may go, the longest unused first, when there is no room for another cache.
   */
  'elimination_strategy': (string);
}
