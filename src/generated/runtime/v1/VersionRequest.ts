// Original file: proto/runtime/v1/api.proto


export interface VersionRequest {
  /**
   * Version of the kubelet's API.
   */
  'version'?: (string);
}

export interface VersionRequest__Output {
  /**
   * Version of the kubelet's API.
   */
  'version': (string);
}
