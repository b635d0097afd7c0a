// Original file: proto/runtime/v1/api.proto

import type { PodIP as _runtime_v1_PodIP, PodIP__Output as _runtime_v1_PodIP__Output } from '../../runtime/v1/PodIP.ts';

export interface PodSandboxNetworkStatus {
  /**
   * Primary address; empty on the host's network.
   */
  'ip'?: (string);
  /**
   * The others, never the primary again.
   */
  'additional_ips'?: (_runtime_v1_PodIP)[];
}

export interface PodSandboxNetworkStatus__Output {
  /**
   * Primary address; empty on the host's network.
   */
  'ip': (string);
  /**
   * The others, never the primary again.
   */
  'additional_ips': (_runtime_v1_PodIP__Output)[];
}
