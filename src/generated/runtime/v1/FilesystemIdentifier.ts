// Original file: proto/runtime/v1/api.proto


export interface FilesystemIdentifier {
  /**
   * A path that exists.
   */
  'mountpoint'?: (string);
}

export interface FilesystemIdentifier__Output {
  /**
   * A path that exists.
   */
  'mountpoint': (string);
}
