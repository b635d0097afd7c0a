// Original file: proto/podling/v1/admin.proto


/**
 * A vSwitch and how full its IPv4 range is.
 */
export interface Vswitch {
  'id'?: (string);
  'vpc'?: (string);
  'zone'?: (string);
  'cidr'?: (string);
  /**
   * Empty: it has none.
   */
  'ipv6_cidr'?: (string);
  'gateway'?: (string);
  /**
   * IPv4 addresses that pods may get, and what has become of them.
   */
  'total'?: (number);
  'used'?: (number);
  /**
   * Held for the next pod of a name.
   */
  'held'?: (number);
  /**
   * Released a moment ago.
   */
  'resting'?: (number);
  'reserved'?: (number);
  'free'?: (number);
}

/**
 * A vSwitch and how full its IPv4 range is.
 */
export interface Vswitch__Output {
  'id': (string);
  'vpc': (string);
  'zone': (string);
  'cidr': (string);
  /**
   * Empty: it has none.
   */
  'ipv6_cidr': (string);
  'gateway': (string);
  /**
   * IPv4 addresses that pods may get, and what has become of them.
   */
  'total': (number);
  'used': (number);
  /**
   * Held for the next pod of a name.
   */
  'held': (number);
  /**
   * Released a moment ago.
   */
  'resting': (number);
  'reserved': (number);
  'free': (number);
}
