// Original file: proto/runtime/v1/api.proto


/**
 * A range of ids; the container's id 0 has to be mapped.
 */
export interface IDMapping {
  'host_id'?: (number);
  'container_id'?: (number);
  'length'?: (number);
}

/**
 * A range of ids; the container's id 0 has to be mapped.
 */
export interface IDMapping__Output {
  'host_id': (number);
  'container_id': (number);
  'length': (number);
}
