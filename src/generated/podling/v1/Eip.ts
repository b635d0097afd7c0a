// Original file: proto/podling/v1/admin.proto


export interface Eip {
  'id'?: (string);
  'address'?: (string);
  /**
   * Mbit/s in each direction.
   */
  'bandwidth'?: (number);
  /**
   * "configuration", or "pod": made for the pod that has it.
   */
  'origin'?: (string);
  /**
   * The pod that has it, as "namespace/name"; empty: none.
   */
  'pod'?: (string);
  /**
   * The VPC whose NAT gateway has it; empty: none.
   */
  'nat_gateway_vpc'?: (string);
}

export interface Eip__Output {
  'id': (string);
  'address': (string);
  /**
   * Mbit/s in each direction.
   */
  'bandwidth': (number);
  /**
   * "configuration", or "pod": made for the pod that has it.
   */
  'origin': (string);
  /**
   * The pod that has it, as "namespace/name"; empty: none.
   */
  'pod': (string);
  /**
   * The VPC whose NAT gateway has it; empty: none.
   */
  'nat_gateway_vpc': (string);
}
