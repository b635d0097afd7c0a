// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface InfoResponse {
  /**
   * The configuration's instance name.
   */
  'instance'?: (string);
  /**
   * The agent's version, such as "0.1.0".
   */
  'version'?: (string);
  /**
   * "eci" or "node".
   */
  'profile'?: (string);
  /**
   * Directory of images, snapshots and records.
   */
  'root'?: (string);
  /**
   * Directory of sockets, bundles and fifos.
   */
  'state'?: (string);
  /**
   * Process id of the agent.
   */
  'pid'?: (number | string | Long);
}

export interface InfoResponse__Output {
  /**
   * The configuration's instance name.
   */
  'instance': (string);
  /**
   * The agent's version, such as "0.1.0".
   */
  'version': (string);
  /**
   * "eci" or "node".
   */
  'profile': (string);
  /**
   * Directory of images, snapshots and records.
   */
  'root': (string);
  /**
   * Directory of sockets, bundles and fifos.
   */
  'state': (string);
  /**
   * Process id of the agent.
   */
  'pid': (string);
}
