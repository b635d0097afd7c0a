// Original file: proto/runtime/v1/api.proto

import type { MountPropagation as _runtime_v1_MountPropagation, MountPropagation__Output as _runtime_v1_MountPropagation__Output } from '../../runtime/v1/MountPropagation.ts';
import type { IDMapping as _runtime_v1_IDMapping, IDMapping__Output as _runtime_v1_IDMapping__Output } from '../../runtime/v1/IDMapping.ts';
import type { ImageSpec as _runtime_v1_ImageSpec, ImageSpec__Output as _runtime_v1_ImageSpec__Output } from '../../runtime/v1/ImageSpec.ts';

export interface Mount {
  'container_path'?: (string);
  /**
   * Empty for an image mount.
   */
  'host_path'?: (string);
  'readonly'?: (boolean);
  'selinux_relabel'?: (boolean);
  'propagation'?: (_runtime_v1_MountPropagation);
  'uidMappings'?: (_runtime_v1_IDMapping)[];
  'gidMappings'?: (_runtime_v1_IDMapping)[];
  /**
   * Needs readonly and private propagation.
   */
  'recursive_read_only'?: (boolean);
  /**
   * Mounts an image's files instead of a host path; read-only.
   */
  'image'?: (_runtime_v1_ImageSpec | null);
  /**
   * Directory inside that image.
   */
  'image_sub_path'?: (string);
  /**
   * Further options such as noexec, nodev, nosuid.
   */
  'mount_options'?: (string)[];
}

export interface Mount__Output {
  'container_path': (string);
  /**
   * Empty for an image mount.
   */
  'host_path': (string);
  'readonly': (boolean);
  'selinux_relabel': (boolean);
  'propagation': (_runtime_v1_MountPropagation__Output);
  'uidMappings': (_runtime_v1_IDMapping__Output)[];
  'gidMappings': (_runtime_v1_IDMapping__Output)[];
  /**
   * Needs readonly and private propagation.
   */
  'recursive_read_only': (boolean);
  /**
   * Mounts an image's files instead of a host path; read-only.
   */
  'image': (_runtime_v1_ImageSpec__Output | null);
  /**
   * Directory inside that image.
   */
  'image_sub_path': (string);
  /**
   * Further options such as noexec, nodev, nosuid.
   */
  'mount_options': (string)[];
}
