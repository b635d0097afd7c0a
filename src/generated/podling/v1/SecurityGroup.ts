// Original file: proto/podling/v1/admin.proto


export interface SecurityGroup {
  'id'?: (string);
  'vpc'?: (string);
  /**
   * "basic" or "enterprise"; empty for a group that is gone.
   */
  'type'?: (string);
  /**
   * "accept" or "drop": whether members reach each other; empty for a group that is gone.
   */
  'intranet'?: (string);
  /**
   * "configuration", "manifest", "default" of a VPC without any, or "gone" with pods still in it.
   */
  'origin'?: (string);
  'rules'?: (number);
  /**
   * Pods in it.
   */
  'members'?: (number);
}

export interface SecurityGroup__Output {
  'id': (string);
  'vpc': (string);
  /**
   * "basic" or "enterprise"; empty for a group that is gone.
   */
  'type': (string);
  /**
   * "accept" or "drop": whether members reach each other; empty for a group that is gone.
   */
  'intranet': (string);
  /**
   * "configuration", "manifest", "default" of a VPC without any, or "gone" with pods still in it.
   */
  'origin': (string);
  'rules': (number);
  /**
   * Pods in it.
   */
  'members': (number);
}
