// Original file: proto/runtime/v1/api.proto


export interface RuntimeFeatures {
  /**
   * Whether Strict is honoured.
   */
  'supplemental_groups_policy'?: (boolean);
  'user_namespaces_host_network'?: (boolean);
  'mount_options'?: (boolean);
}

export interface RuntimeFeatures__Output {
  /**
   * Whether Strict is honoured.
   */
  'supplemental_groups_policy': (boolean);
  'user_namespaces_host_network': (boolean);
  'mount_options': (boolean);
}
