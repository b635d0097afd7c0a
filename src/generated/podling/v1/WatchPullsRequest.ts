// Original file: proto/podling/v1/admin.proto


export interface WatchPullsRequest {
  /**
   * Only pulls of this reference, compared with what the puller wrote and with its full form; empty: every pull.
   */
  'reference'?: (string);
}

export interface WatchPullsRequest__Output {
  /**
   * Only pulls of this reference, compared with what the puller wrote and with its full form; empty: every pull.
   */
  'reference': (string);
}
