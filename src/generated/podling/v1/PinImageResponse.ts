// Original file: proto/podling/v1/admin.proto


export interface PinImageResponse {
  'id'?: (string);
  /**
   * Whether it is pinned now: the configuration may pin it as well.
   */
  'pinned'?: (boolean);
}

export interface PinImageResponse__Output {
  'id': (string);
  /**
   * Whether it is pinned now: the configuration may pin it as well.
   */
  'pinned': (boolean);
}
