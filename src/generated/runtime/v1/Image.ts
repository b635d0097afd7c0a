// Original file: proto/runtime/v1/api.proto

import type { Int64Value as _runtime_v1_Int64Value, Int64Value__Output as _runtime_v1_Int64Value__Output } from '../../runtime/v1/Int64Value.ts';
import type { ImageSpec as _runtime_v1_ImageSpec, ImageSpec__Output as _runtime_v1_ImageSpec__Output } from '../../runtime/v1/ImageSpec.ts';
import type { Long } from '@grpc/proto-loader';

export interface Image {
  /**
   * Config digest.
   */
  'id'?: (string);
  'repo_tags'?: (string)[];
  'repo_digests'?: (string)[];
  /**
   * Bytes on this node.
   */
  'size'?: (number | string | Long);
  /**
   * The user of the image config when it is a number …
   */
  'uid'?: (_runtime_v1_Int64Value | null);
  /**
   * … or its name otherwise.
   */
  'username'?: (string);
  'spec'?: (_runtime_v1_ImageSpec | null);
  /**
   * Not to be collected as garbage.
   */
  'pinned'?: (boolean);
}

export interface Image__Output {
  /**
   * Config digest.
   */
  'id': (string);
  'repo_tags': (string)[];
  'repo_digests': (string)[];
  /**
   * Bytes on this node.
   */
  'size': (string);
  /**
   * The user of the image config when it is a number …
   */
  'uid': (_runtime_v1_Int64Value__Output | null);
  /**
   * … or its name otherwise.
   */
  'username': (string);
  'spec': (_runtime_v1_ImageSpec__Output | null);
  /**
   * Not to be collected as garbage.
   */
  'pinned': (boolean);
}
