import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AdminServiceClient as _podling_v1_AdminServiceClient, AdminServiceDefinition as _podling_v1_AdminServiceDefinition } from './podling/v1/AdminService.ts';
import type { InfoRequest as _podling_v1_InfoRequest, InfoRequest__Output as _podling_v1_InfoRequest__Output } from './podling/v1/InfoRequest.ts';
import type { InfoResponse as _podling_v1_InfoResponse, InfoResponse__Output as _podling_v1_InfoResponse__Output } from './podling/v1/InfoResponse.ts';
import type { PullProgress as _podling_v1_PullProgress, PullProgress__Output as _podling_v1_PullProgress__Output } from './podling/v1/PullProgress.ts';
import type { WatchPullsRequest as _podling_v1_WatchPullsRequest, WatchPullsRequest__Output as _podling_v1_WatchPullsRequest__Output } from './podling/v1/WatchPullsRequest.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  podling: {
    v1: {
      AdminService: SubtypeConstructor<typeof grpc.Client, _podling_v1_AdminServiceClient> & { service: _podling_v1_AdminServiceDefinition }
      InfoRequest: MessageTypeDefinition<_podling_v1_InfoRequest, _podling_v1_InfoRequest__Output>
      InfoResponse: MessageTypeDefinition<_podling_v1_InfoResponse, _podling_v1_InfoResponse__Output>
      PullProgress: MessageTypeDefinition<_podling_v1_PullProgress, _podling_v1_PullProgress__Output>
      WatchPullsRequest: MessageTypeDefinition<_podling_v1_WatchPullsRequest, _podling_v1_WatchPullsRequest__Output>
    }
  }
}

