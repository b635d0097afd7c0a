// Original file: proto/runtime/v1/api.proto


export interface CDIDevice {
  /**
   * vendor/class=name.
   */
  'name'?: (string);
}

export interface CDIDevice__Output {
  /**
   * vendor/class=name.
   */
  'name': (string);
}
