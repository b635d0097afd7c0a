// Original file: proto/runtime/v1/api.proto


/**
 * Contents of resolv.conf. Absent in the config: the host's file is copied.
 */
export interface DNSConfig {
  'servers'?: (string)[];
  'searches'?: (string)[];
  'options'?: (string)[];
}

/**
 * Contents of resolv.conf. Absent in the config: the host's file is copied.
 */
export interface DNSConfig__Output {
  'servers': (string)[];
  'searches': (string)[];
  'options': (string)[];
}
