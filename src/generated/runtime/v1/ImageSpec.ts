// Original file: proto/runtime/v1/api.proto


/**
 * Names an image.
 */
export interface ImageSpec {
  /**
   * Id, unique prefix of an id, tag or digest reference.
   */
  'image'?: (string);
  'annotations'?: ({[key: string]: string});
  /**
   * As written in the pod.
   */
  'user_specified_image'?: (string);
  'runtime_handler'?: (string);
  /**
   * Reported back: the digest of a mounted image.
   */
  'image_ref'?: (string);
}

/**
 * Names an image.
 */
export interface ImageSpec__Output {
  /**
   * Id, unique prefix of an id, tag or digest reference.
   */
  'image': (string);
  'annotations': ({[key: string]: string});
  /**
   * As written in the pod.
   */
  'user_specified_image': (string);
  'runtime_handler': (string);
  /**
   * Reported back: the digest of a mounted image.
   */
  'image_ref': (string);
}
