// Original file: proto/runtime/v1/api.proto


export interface RuntimeCondition {
  /**
   * RuntimeReady, NetworkReady, or one of the agent's own.
   */
  'type'?: (string);
  'status'?: (boolean);
  /**
   * One CamelCase word.
   */
  'reason'?: (string);
  'message'?: (string);
}

export interface RuntimeCondition__Output {
  /**
   * RuntimeReady, NetworkReady, or one of the agent's own.
   */
  'type': (string);
  'status': (boolean);
  /**
   * One CamelCase word.
   */
  'reason': (string);
  'message': (string);
}
