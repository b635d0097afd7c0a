// Original file: proto/podling/v1/admin.proto


/**
 * A login for one registry. Neither stored nor logged.
 */
export interface ImageRegistryCredential {
  /**
   * Its host, with a port if need be.
   */
  'server'?: (string);
  'user_name'?: (string);
  'password'?: (string);
}

/**
 * A login for one registry. Neither stored nor logged.
 */
export interface ImageRegistryCredential__Output {
  /**
   * Its host, with a port if need be.
   */
  'server': (string);
  'user_name': (string);
  'password': (string);
}
