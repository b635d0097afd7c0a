// Original file: proto/runtime/v1/api.proto


export interface VersionResponse {
  /**
   * "0.1.0", as kubelet expects.
   */
  'version'?: (string);
  'runtime_name'?: (string);
  /**
   * Semantic version.
   */
  'runtime_version'?: (string);
  /**
   * "v1".
   */
  'runtime_api_version'?: (string);
}

export interface VersionResponse__Output {
  /**
   * "0.1.0", as kubelet expects.
   */
  'version': (string);
  'runtime_name': (string);
  /**
   * Semantic version.
   */
  'runtime_version': (string);
  /**
   * "v1".
   */
  'runtime_api_version': (string);
}
