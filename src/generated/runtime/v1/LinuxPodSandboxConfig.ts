// Original file: proto/runtime/v1/api.proto

import type { LinuxSandboxSecurityContext as _runtime_v1_LinuxSandboxSecurityContext, LinuxSandboxSecurityContext__Output as _runtime_v1_LinuxSandboxSecurityContext__Output } from '../../runtime/v1/LinuxSandboxSecurityContext.ts';
import type { LinuxContainerResources as _runtime_v1_LinuxContainerResources, LinuxContainerResources__Output as _runtime_v1_LinuxContainerResources__Output } from '../../runtime/v1/LinuxContainerResources.ts';

export interface LinuxPodSandboxConfig {
  /**
   * cgroup the pod's containers go below; with the cgroupfs driver an absolute path.
   */
  'cgroup_parent'?: (string);
  'security_context'?: (_runtime_v1_LinuxSandboxSecurityContext | null);
  'sysctls'?: ({[key: string]: string});
  /**
   * What the sandbox itself costs, beyond its containers.
   */
  'overhead'?: (_runtime_v1_LinuxContainerResources | null);
  /**
   * Sum over the containers.
   */
  'resources'?: (_runtime_v1_LinuxContainerResources | null);
}

export interface LinuxPodSandboxConfig__Output {
  /**
   * cgroup the pod's containers go below; with the cgroupfs driver an absolute path.
   */
  'cgroup_parent': (string);
  'security_context': (_runtime_v1_LinuxSandboxSecurityContext__Output | null);
  'sysctls': ({[key: string]: string});
  /**
   * What the sandbox itself costs, beyond its containers.
   */
  'overhead': (_runtime_v1_LinuxContainerResources__Output | null);
  /**
   * Sum over the containers.
   */
  'resources': (_runtime_v1_LinuxContainerResources__Output | null);
}
