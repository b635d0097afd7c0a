import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AdminServiceClient as _podling_v1_AdminServiceClient, AdminServiceDefinition as _podling_v1_AdminServiceDefinition } from './podling/v1/AdminService.ts';
import type { CollectImagesRequest as _podling_v1_CollectImagesRequest, CollectImagesRequest__Output as _podling_v1_CollectImagesRequest__Output } from './podling/v1/CollectImagesRequest.ts';
import type { CollectImagesResponse as _podling_v1_CollectImagesResponse, CollectImagesResponse__Output as _podling_v1_CollectImagesResponse__Output } from './podling/v1/CollectImagesResponse.ts';
import type { ImageDecision as _podling_v1_ImageDecision, ImageDecision__Output as _podling_v1_ImageDecision__Output } from './podling/v1/ImageDecision.ts';
import type { InfoRequest as _podling_v1_InfoRequest, InfoRequest__Output as _podling_v1_InfoRequest__Output } from './podling/v1/InfoRequest.ts';
import type { InfoResponse as _podling_v1_InfoResponse, InfoResponse__Output as _podling_v1_InfoResponse__Output } from './podling/v1/InfoResponse.ts';
import type { LeaseImageRequest as _podling_v1_LeaseImageRequest, LeaseImageRequest__Output as _podling_v1_LeaseImageRequest__Output } from './podling/v1/LeaseImageRequest.ts';
import type { LeaseImageResponse as _podling_v1_LeaseImageResponse, LeaseImageResponse__Output as _podling_v1_LeaseImageResponse__Output } from './podling/v1/LeaseImageResponse.ts';
import type { PinImageRequest as _podling_v1_PinImageRequest, PinImageRequest__Output as _podling_v1_PinImageRequest__Output } from './podling/v1/PinImageRequest.ts';
import type { PinImageResponse as _podling_v1_PinImageResponse, PinImageResponse__Output as _podling_v1_PinImageResponse__Output } from './podling/v1/PinImageResponse.ts';
import type { PullProgress as _podling_v1_PullProgress, PullProgress__Output as _podling_v1_PullProgress__Output } from './podling/v1/PullProgress.ts';
import type { WatchPullsRequest as _podling_v1_WatchPullsRequest, WatchPullsRequest__Output as _podling_v1_WatchPullsRequest__Output } from './podling/v1/WatchPullsRequest.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  podling: {
    v1: {
      AdminService: SubtypeConstructor<typeof grpc.Client, _podling_v1_AdminServiceClient> & { service: _podling_v1_AdminServiceDefinition }
      CollectImagesRequest: MessageTypeDefinition<_podling_v1_CollectImagesRequest, _podling_v1_CollectImagesRequest__Output>
      CollectImagesResponse: MessageTypeDefinition<_podling_v1_CollectImagesResponse, _podling_v1_CollectImagesResponse__Output>
      ImageDecision: MessageTypeDefinition<_podling_v1_ImageDecision, _podling_v1_ImageDecision__Output>
      InfoRequest: MessageTypeDefinition<_podling_v1_InfoRequest, _podling_v1_InfoRequest__Output>
      InfoResponse: MessageTypeDefinition<_podling_v1_InfoResponse, _podling_v1_InfoResponse__Output>
      LeaseImageRequest: MessageTypeDefinition<_podling_v1_LeaseImageRequest, _podling_v1_LeaseImageRequest__Output>
      LeaseImageResponse: MessageTypeDefinition<_podling_v1_LeaseImageResponse, _podling_v1_LeaseImageResponse__Output>
      PinImageRequest: MessageTypeDefinition<_podling_v1_PinImageRequest, _podling_v1_PinImageRequest__Output>
      PinImageResponse: MessageTypeDefinition<_podling_v1_PinImageResponse, _podling_v1_PinImageResponse__Output>
      PullProgress: MessageTypeDefinition<_podling_v1_PullProgress, _podling_v1_PullProgress__Output>
      WatchPullsRequest: MessageTypeDefinition<_podling_v1_WatchPullsRequest, _podling_v1_WatchPullsRequest__Output>
    }
  }
}

