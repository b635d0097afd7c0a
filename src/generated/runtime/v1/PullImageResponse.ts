// Original file: proto/runtime/v1/api.proto


export interface PullImageResponse {
  /**
   * The node's image id, equal to Image.id.
   */
  'image_ref'?: (string);
}

export interface PullImageResponse__Output {
  /**
   * The node's image id, equal to Image.id.
   */
  'image_ref': (string);
}
