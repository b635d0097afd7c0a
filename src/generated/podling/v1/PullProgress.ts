// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * One step forward of one layer, or of a whole pull.
 */
export interface PullProgress {
  /**
   * The image in its full form, such as "docker.io/library/debian:12".
   */
  'reference'?: (string);
  /**
   * The layer's digest as the manifest names it; empty: the pull as a whole.
   */
  'layer'?: (string);
  /**
   * "resolving", "downloading", "unpacking", "exists", "done" or "failed". The last three end a layer; "done" and
   * "failed" end a pull.
   */
  'phase'?: (string);
  /**
   * Bytes of the compressed layer that have been read.
   */
  'done_bytes'?: (number | string | Long);
  /**
   * The compressed layer's size; 0 for the pull as a whole while it is unknown.
   */
  'total_bytes'?: (number | string | Long);
  /**
   * Why the layer or the pull failed; empty otherwise.
   */
  'error'?: (string);
}

/**
 * One step forward of one layer, or of a whole pull.
 */
export interface PullProgress__Output {
  /**
   * The image in its full form, such as "docker.io/library/debian:12".
   */
  'reference': (string);
  /**
   * The layer's digest as the manifest names it; empty: the pull as a whole.
   */
  'layer': (string);
  /**
   * "resolving", "downloading", "unpacking", "exists", "done" or "failed". The last three end a layer; "done" and
   * "failed" end a pull.
   */
  'phase': (string);
  /**
   * Bytes of the compressed layer that have been read.
   */
  'done_bytes': (string);
  /**
   * The compressed layer's size; 0 for the pull as a whole while it is unknown.
   */
  'total_bytes': (string);
  /**
   * Why the layer or the pull failed; empty otherwise.
   */
  'error': (string);
}
