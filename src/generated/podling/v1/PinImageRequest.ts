// Original file: proto/podling/v1/admin.proto


export interface PinImageRequest {
  /**
   * A name or id of the image, as CRI takes it.
   */
  'image'?: (string);
  'pinned'?: (boolean);
}

export interface PinImageRequest__Output {
  /**
   * A name or id of the image, as CRI takes it.
   */
  'image': (string);
  'pinned': (boolean);
}
