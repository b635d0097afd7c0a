// Original file: proto/runtime/v1/api.proto

import type { ContainerMetadata as _runtime_v1_ContainerMetadata, ContainerMetadata__Output as _runtime_v1_ContainerMetadata__Output } from '../../runtime/v1/ContainerMetadata.ts';
import type { ContainerState as _runtime_v1_ContainerState, ContainerState__Output as _runtime_v1_ContainerState__Output } from '../../runtime/v1/ContainerState.ts';
import type { ImageSpec as _runtime_v1_ImageSpec, ImageSpec__Output as _runtime_v1_ImageSpec__Output } from '../../runtime/v1/ImageSpec.ts';
import type { Mount as _runtime_v1_Mount, Mount__Output as _runtime_v1_Mount__Output } from '../../runtime/v1/Mount.ts';
import type { ContainerResources as _runtime_v1_ContainerResources, ContainerResources__Output as _runtime_v1_ContainerResources__Output } from '../../runtime/v1/ContainerResources.ts';
import type { ContainerUser as _runtime_v1_ContainerUser, ContainerUser__Output as _runtime_v1_ContainerUser__Output } from '../../runtime/v1/ContainerUser.ts';
import type { Signal as _runtime_v1_Signal, Signal__Output as _runtime_v1_Signal__Output } from '../../runtime/v1/Signal.ts';
import type { Long } from '@grpc/proto-loader';

export interface ContainerStatus {
  'id'?: (string);
  'metadata'?: (_runtime_v1_ContainerMetadata | null);
  'state'?: (_runtime_v1_ContainerState);
  /**
   * Nanoseconds since the epoch, as the two below.
   */
  'created_at'?: (number | string | Long);
  /**
   * 0: not started.
   */
  'started_at'?: (number | string | Long);
  /**
   * 0: not ended.
   */
  'finished_at'?: (number | string | Long);
  /**
   * Meaningful when exited.
   */
  'exit_code'?: (number);
  'image'?: (_runtime_v1_ImageSpec | null);
  'image_ref'?: (string);
  /**
   * One word: Completed, Error, OOMKilled, StartError …
   */
  'reason'?: (string);
  /**
   * For people.
   */
  'message'?: (string);
  'labels'?: ({[key: string]: string});
  'annotations'?: ({[key: string]: string});
  'mounts'?: (_runtime_v1_Mount)[];
  /**
   * Absolute.
   */
  'log_path'?: (string);
  /**
   * The limits in force.
   */
  'resources'?: (_runtime_v1_ContainerResources | null);
  'image_id'?: (string);
  /**
   * The user of PID 1.
   */
  'user'?: (_runtime_v1_ContainerUser | null);
  /**
   * The one that is sent.
   */
  'stop_signal'?: (_runtime_v1_Signal);
}

export interface ContainerStatus__Output {
  'id': (string);
  'metadata': (_runtime_v1_ContainerMetadata__Output | null);
  'state': (_runtime_v1_ContainerState__Output);
  /**
   * Nanoseconds since the epoch, as the two below.
   */
  'created_at': (string);
  /**
   * 0: not started.
   */
  'started_at': (string);
  /**
   * 0: not ended.
   */
  'finished_at': (string);
  /**
   * Meaningful when exited.
   */
  'exit_code': (number);
  'image': (_runtime_v1_ImageSpec__Output | null);
  'image_ref': (string);
  /**
   * One word: Completed, Error, OOMKilled, StartError …
   */
  'reason': (string);
  /**
   * For people.
   */
  'message': (string);
  'labels': ({[key: string]: string});
  'annotations': ({[key: string]: string});
  'mounts': (_runtime_v1_Mount__Output)[];
  /**
   * Absolute.
   */
  'log_path': (string);
  /**
   * The limits in force.
   */
  'resources': (_runtime_v1_ContainerResources__Output | null);
  'image_id': (string);
  /**
   * The user of PID 1.
   */
  'user': (_runtime_v1_ContainerUser__Output | null);
  /**
   * The one that is sent.
   */
  'stop_signal': (_runtime_v1_Signal__Output);
}
