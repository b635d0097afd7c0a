// Original file: proto/podling/v1/admin.proto


export interface CollectImagesRequest {
  /**
   * Removes nothing: the answer says what would be removed.
   */
  'dry_run'?: (boolean);
}

export interface CollectImagesRequest__Output {
  /**
   * Removes nothing: the answer says what would be removed.
   */
  'dry_run': (boolean);
}
