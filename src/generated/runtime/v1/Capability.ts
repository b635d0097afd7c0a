// Original file: proto/runtime/v1/api.proto


/**
 * Names with or without CAP_, or ALL. Additions win over removals unless ALL is dropped last.
 */
export interface Capability {
  'add_capabilities'?: (string)[];
  'drop_capabilities'?: (string)[];
  'add_ambient_capabilities'?: (string)[];
}

/**
 * Names with or without CAP_, or ALL. Additions win over removals unless ALL is dropped last.
 */
export interface Capability__Output {
  'add_capabilities': (string)[];
  'drop_capabilities': (string)[];
  'add_ambient_capabilities': (string)[];
}
