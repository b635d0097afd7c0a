// Original file: proto/runtime/v1/api.proto

import type { FilesystemUsage as _runtime_v1_FilesystemUsage, FilesystemUsage__Output as _runtime_v1_FilesystemUsage__Output } from '../../runtime/v1/FilesystemUsage.ts';

export interface ImageFsInfoResponse {
  /**
   * One or more, with or without images.
   */
  'image_filesystems'?: (_runtime_v1_FilesystemUsage)[];
  /**
   * Where writable layers are.
   */
  'container_filesystems'?: (_runtime_v1_FilesystemUsage)[];
}

export interface ImageFsInfoResponse__Output {
  /**
   * One or more, with or without images.
   */
  'image_filesystems': (_runtime_v1_FilesystemUsage__Output)[];
  /**
   * Where writable layers are.
   */
  'container_filesystems': (_runtime_v1_FilesystemUsage__Output)[];
}
