// Original file: proto/podling/v1/admin.proto

import type { Vswitch as _podling_v1_Vswitch, Vswitch__Output as _podling_v1_Vswitch__Output } from '../../podling/v1/Vswitch.ts';
import type { Eni as _podling_v1_Eni, Eni__Output as _podling_v1_Eni__Output } from '../../podling/v1/Eni.ts';
import type { NetworkAddress as _podling_v1_NetworkAddress, NetworkAddress__Output as _podling_v1_NetworkAddress__Output } from '../../podling/v1/NetworkAddress.ts';
import type { SecurityGroup as _podling_v1_SecurityGroup, SecurityGroup__Output as _podling_v1_SecurityGroup__Output } from '../../podling/v1/SecurityGroup.ts';
import type { Eip as _podling_v1_Eip, Eip__Output as _podling_v1_Eip__Output } from '../../podling/v1/Eip.ts';

export interface DescribeNetworkResponse {
  'vswitches'?: (_podling_v1_Vswitch)[];
  'enis'?: (_podling_v1_Eni)[];
  'addresses'?: (_podling_v1_NetworkAddress)[];
  'security_groups'?: (_podling_v1_SecurityGroup)[];
  'eips'?: (_podling_v1_Eip)[];
}

export interface DescribeNetworkResponse__Output {
  'vswitches': (_podling_v1_Vswitch__Output)[];
  'enis': (_podling_v1_Eni__Output)[];
  'addresses': (_podling_v1_NetworkAddress__Output)[];
  'security_groups': (_podling_v1_SecurityGroup__Output)[];
  'eips': (_podling_v1_Eip__Output)[];
}
