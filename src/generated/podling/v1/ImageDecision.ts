// Original file: proto/podling/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What becomes of one image, and why.
 */
export interface ImageDecision {
  'id'?: (string);
  /**
   * A tag, else a digest reference, else the id.
   */
  'name'?: (string);
  /**
   * Whether it was, or would be, removed.
   */
  'removed'?: (boolean);
  /**
   * Of what is removed "expired" or "space"; else "in-use", "pinned", "leased", "young", "shared" (others need all of its
   * layers) or "unneeded" (nothing asks for its removal).
   */
  'reason'?: (string);
  /**
   * Who uses it or what pins it; empty where the reason says all.
   */
  'detail'?: (string);
  /**
   * For how long it has not been used, as far as agents watched.
   */
  'idle_seconds'?: (number | string | Long);
  /**
   * Bytes of layers that go with it, once what is before it is gone.
   */
  'frees_bytes'?: (number | string | Long);
  /**
   * Why its removal failed; empty otherwise.
   */
  'error'?: (string);
}

/**
 * What becomes of one image, and why.
 */
export interface ImageDecision__Output {
  'id': (string);
  /**
   * A tag, else a digest reference, else the id.
   */
  'name': (string);
  /**
   * Whether it was, or would be, removed.
   */
  'removed': (boolean);
  /**
   * Of what is removed "expired" or "space"; else "in-use", "pinned", "leased", "young", "shared" (others need all of its
   * layers) or "unneeded" (nothing asks for its removal).
   */
  'reason': (string);
  /**
   * Who uses it or what pins it; empty where the reason says all.
   */
  'detail': (string);
  /**
   * For how long it has not been used, as far as agents watched.
   */
  'idle_seconds': (string);
  /**
   * Bytes of layers that go with it, once what is before it is gone.
   */
  'frees_bytes': (string);
  /**
   * Why its removal failed; empty otherwise.
   */
  'error': (string);
}
