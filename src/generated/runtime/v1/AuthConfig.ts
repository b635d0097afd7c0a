// Original file: proto/runtime/v1/api.proto


/**
 * Credentials for one pull; never kept.
 */
export interface AuthConfig {
  'username'?: (string);
  'password'?: (string);
  /**
   * Base64 of user:password.
   */
  'auth'?: (string);
  /**
   * Registry they are meant for; never sent to another.
   */
  'server_address'?: (string);
  /**
   * Refresh token to trade for an access token.
   */
  'identity_token'?: (string);
  /**
   * Bearer token, sent as it is.
   */
  'registry_token'?: (string);
}

/**
 * Credentials for one pull; never kept.
 */
export interface AuthConfig__Output {
  'username': (string);
  'password': (string);
  /**
   * Base64 of user:password.
   */
  'auth': (string);
  /**
   * Registry they are meant for; never sent to another.
   */
  'server_address': (string);
  /**
   * Refresh token to trade for an access token.
   */
  'identity_token': (string);
  /**
   * Bearer token, sent as it is.
   */
  'registry_token': (string);
}
