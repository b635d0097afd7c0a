import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AdminServiceClient as _podling_v1_AdminServiceClient, AdminServiceDefinition as _podling_v1_AdminServiceDefinition } from './podling/v1/AdminService.ts';
import type { CachedImage as _podling_v1_CachedImage, CachedImage__Output as _podling_v1_CachedImage__Output } from './podling/v1/CachedImage.ts';
import type { CheckNetworkRequest as _podling_v1_CheckNetworkRequest, CheckNetworkRequest__Output as _podling_v1_CheckNetworkRequest__Output } from './podling/v1/CheckNetworkRequest.ts';
import type { CheckNetworkResponse as _podling_v1_CheckNetworkResponse, CheckNetworkResponse__Output as _podling_v1_CheckNetworkResponse__Output } from './podling/v1/CheckNetworkResponse.ts';
import type { CollectImagesRequest as _podling_v1_CollectImagesRequest, CollectImagesRequest__Output as _podling_v1_CollectImagesRequest__Output } from './podling/v1/CollectImagesRequest.ts';
import type { CollectImagesResponse as _podling_v1_CollectImagesResponse, CollectImagesResponse__Output as _podling_v1_CollectImagesResponse__Output } from './podling/v1/CollectImagesResponse.ts';
import type { CreateImageCacheRequest as _podling_v1_CreateImageCacheRequest, CreateImageCacheRequest__Output as _podling_v1_CreateImageCacheRequest__Output } from './podling/v1/CreateImageCacheRequest.ts';
import type { DeleteImageCacheRequest as _podling_v1_DeleteImageCacheRequest, DeleteImageCacheRequest__Output as _podling_v1_DeleteImageCacheRequest__Output } from './podling/v1/DeleteImageCacheRequest.ts';
import type { DeleteImageCacheResponse as _podling_v1_DeleteImageCacheResponse, DeleteImageCacheResponse__Output as _podling_v1_DeleteImageCacheResponse__Output } from './podling/v1/DeleteImageCacheResponse.ts';
import type { DescribeNetworkRequest as _podling_v1_DescribeNetworkRequest, DescribeNetworkRequest__Output as _podling_v1_DescribeNetworkRequest__Output } from './podling/v1/DescribeNetworkRequest.ts';
import type { DescribeNetworkResponse as _podling_v1_DescribeNetworkResponse, DescribeNetworkResponse__Output as _podling_v1_DescribeNetworkResponse__Output } from './podling/v1/DescribeNetworkResponse.ts';
import type { Eip as _podling_v1_Eip, Eip__Output as _podling_v1_Eip__Output } from './podling/v1/Eip.ts';
import type { Eni as _podling_v1_Eni, Eni__Output as _podling_v1_Eni__Output } from './podling/v1/Eni.ts';
import type { EniCheck as _podling_v1_EniCheck, EniCheck__Output as _podling_v1_EniCheck__Output } from './podling/v1/EniCheck.ts';
import type { GetImageCacheRequest as _podling_v1_GetImageCacheRequest, GetImageCacheRequest__Output as _podling_v1_GetImageCacheRequest__Output } from './podling/v1/GetImageCacheRequest.ts';
import type { ImageCache as _podling_v1_ImageCache, ImageCache__Output as _podling_v1_ImageCache__Output } from './podling/v1/ImageCache.ts';
import type { ImageCacheChange as _podling_v1_ImageCacheChange, ImageCacheChange__Output as _podling_v1_ImageCacheChange__Output } from './podling/v1/ImageCacheChange.ts';
import type { ImageCacheEvent as _podling_v1_ImageCacheEvent, ImageCacheEvent__Output as _podling_v1_ImageCacheEvent__Output } from './podling/v1/ImageCacheEvent.ts';
import type { ImageCacheSpec as _podling_v1_ImageCacheSpec, ImageCacheSpec__Output as _podling_v1_ImageCacheSpec__Output } from './podling/v1/ImageCacheSpec.ts';
import type { ImageDecision as _podling_v1_ImageDecision, ImageDecision__Output as _podling_v1_ImageDecision__Output } from './podling/v1/ImageDecision.ts';
import type { ImageRegistryCredential as _podling_v1_ImageRegistryCredential, ImageRegistryCredential__Output as _podling_v1_ImageRegistryCredential__Output } from './podling/v1/ImageRegistryCredential.ts';
import type { InfoRequest as _podling_v1_InfoRequest, InfoRequest__Output as _podling_v1_InfoRequest__Output } from './podling/v1/InfoRequest.ts';
import type { InfoResponse as _podling_v1_InfoResponse, InfoResponse__Output as _podling_v1_InfoResponse__Output } from './podling/v1/InfoResponse.ts';
import type { LeaseImageRequest as _podling_v1_LeaseImageRequest, LeaseImageRequest__Output as _podling_v1_LeaseImageRequest__Output } from './podling/v1/LeaseImageRequest.ts';
import type { LeaseImageResponse as _podling_v1_LeaseImageResponse, LeaseImageResponse__Output as _podling_v1_LeaseImageResponse__Output } from './podling/v1/LeaseImageResponse.ts';
import type { ListImageCachesRequest as _podling_v1_ListImageCachesRequest, ListImageCachesRequest__Output as _podling_v1_ListImageCachesRequest__Output } from './podling/v1/ListImageCachesRequest.ts';
import type { ListImageCachesResponse as _podling_v1_ListImageCachesResponse, ListImageCachesResponse__Output as _podling_v1_ListImageCachesResponse__Output } from './podling/v1/ListImageCachesResponse.ts';
import type { NetworkAddress as _podling_v1_NetworkAddress, NetworkAddress__Output as _podling_v1_NetworkAddress__Output } from './podling/v1/NetworkAddress.ts';
import type { PinImageRequest as _podling_v1_PinImageRequest, PinImageRequest__Output as _podling_v1_PinImageRequest__Output } from './podling/v1/PinImageRequest.ts';
import type { PinImageResponse as _podling_v1_PinImageResponse, PinImageResponse__Output as _podling_v1_PinImageResponse__Output } from './podling/v1/PinImageResponse.ts';
import type { PullProgress as _podling_v1_PullProgress, PullProgress__Output as _podling_v1_PullProgress__Output } from './podling/v1/PullProgress.ts';
import type { SecurityGroup as _podling_v1_SecurityGroup, SecurityGroup__Output as _podling_v1_SecurityGroup__Output } from './podling/v1/SecurityGroup.ts';
import type { Vswitch as _podling_v1_Vswitch, Vswitch__Output as _podling_v1_Vswitch__Output } from './podling/v1/Vswitch.ts';
import type { WatchImageCachesRequest as _podling_v1_WatchImageCachesRequest, WatchImageCachesRequest__Output as _podling_v1_WatchImageCachesRequest__Output } from './podling/v1/WatchImageCachesRequest.ts';
import type { WatchPullsRequest as _podling_v1_WatchPullsRequest, WatchPullsRequest__Output as _podling_v1_WatchPullsRequest__Output } from './podling/v1/WatchPullsRequest.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  podling: {
    v1: {
      AdminService: SubtypeConstructor<typeof grpc.Client, _podling_v1_AdminServiceClient> & { service: _podling_v1_AdminServiceDefinition }
      CachedImage: MessageTypeDefinition<_podling_v1_CachedImage, _podling_v1_CachedImage__Output>
      CheckNetworkRequest: MessageTypeDefinition<_podling_v1_CheckNetworkRequest, _podling_v1_CheckNetworkRequest__Output>
      CheckNetworkResponse: MessageTypeDefinition<_podling_v1_CheckNetworkResponse, _podling_v1_CheckNetworkResponse__Output>
      CollectImagesRequest: MessageTypeDefinition<_podling_v1_CollectImagesRequest, _podling_v1_CollectImagesRequest__Output>
      CollectImagesResponse: MessageTypeDefinition<_podling_v1_CollectImagesResponse, _podling_v1_CollectImagesResponse__Output>
      CreateImageCacheRequest: MessageTypeDefinition<_podling_v1_CreateImageCacheRequest, _podling_v1_CreateImageCacheRequest__Output>
      DeleteImageCacheRequest: MessageTypeDefinition<_podling_v1_DeleteImageCacheRequest, _podling_v1_DeleteImageCacheRequest__Output>
      DeleteImageCacheResponse: MessageTypeDefinition<_podling_v1_DeleteImageCacheResponse, _podling_v1_DeleteImageCacheResponse__Output>
      DescribeNetworkRequest: MessageTypeDefinition<_podling_v1_DescribeNetworkRequest, _podling_v1_DescribeNetworkRequest__Output>
      DescribeNetworkResponse: MessageTypeDefinition<_podling_v1_DescribeNetworkResponse, _podling_v1_DescribeNetworkResponse__Output>
      Eip: MessageTypeDefinition<_podling_v1_Eip, _podling_v1_Eip__Output>
      Eni: MessageTypeDefinition<_podling_v1_Eni, _podling_v1_Eni__Output>
      EniCheck: MessageTypeDefinition<_podling_v1_EniCheck, _podling_v1_EniCheck__Output>
      GetImageCacheRequest: MessageTypeDefinition<_podling_v1_GetImageCacheRequest, _podling_v1_GetImageCacheRequest__Output>
      ImageCache: MessageTypeDefinition<_podling_v1_ImageCache, _podling_v1_ImageCache__Output>
      ImageCacheChange: MessageTypeDefinition<_podling_v1_ImageCacheChange, _podling_v1_ImageCacheChange__Output>
      ImageCacheEvent: MessageTypeDefinition<_podling_v1_ImageCacheEvent, _podling_v1_ImageCacheEvent__Output>
      ImageCacheSpec: MessageTypeDefinition<_podling_v1_ImageCacheSpec, _podling_v1_ImageCacheSpec__Output>
      ImageDecision: MessageTypeDefinition<_podling_v1_ImageDecision, _podling_v1_ImageDecision__Output>
      ImageRegistryCredential: MessageTypeDefinition<_podling_v1_ImageRegistryCredential, _podling_v1_ImageRegistryCredential__Output>
      InfoRequest: MessageTypeDefinition<_podling_v1_InfoRequest, _podling_v1_InfoRequest__Output>
      InfoResponse: MessageTypeDefinition<_podling_v1_InfoResponse, _podling_v1_InfoResponse__Output>
      LeaseImageRequest: MessageTypeDefinition<_podling_v1_LeaseImageRequest, _podling_v1_LeaseImageRequest__Output>
      LeaseImageResponse: MessageTypeDefinition<_podling_v1_LeaseImageResponse, _podling_v1_LeaseImageResponse__Output>
      ListImageCachesRequest: MessageTypeDefinition<_podling_v1_ListImageCachesRequest, _podling_v1_ListImageCachesRequest__Output>
      ListImageCachesResponse: MessageTypeDefinition<_podling_v1_ListImageCachesResponse, _podling_v1_ListImageCachesResponse__Output>
      NetworkAddress: MessageTypeDefinition<_podling_v1_NetworkAddress, _podling_v1_NetworkAddress__Output>
      PinImageRequest: MessageTypeDefinition<_podling_v1_PinImageRequest, _podling_v1_PinImageRequest__Output>
      PinImageResponse: MessageTypeDefinition<_podling_v1_PinImageResponse, _podling_v1_PinImageResponse__Output>
      PullProgress: MessageTypeDefinition<_podling_v1_PullProgress, _podling_v1_PullProgress__Output>
      SecurityGroup: MessageTypeDefinition<_podling_v1_SecurityGroup, _podling_v1_SecurityGroup__Output>
      Vswitch: MessageTypeDefinition<_podling_v1_Vswitch, _podling_v1_Vswitch__Output>
      WatchImageCachesRequest: MessageTypeDefinition<_podling_v1_WatchImageCachesRequest, _podling_v1_WatchImageCachesRequest__Output>
      WatchPullsRequest: MessageTypeDefinition<_podling_v1_WatchPullsRequest, _podling_v1_WatchPullsRequest__Output>
    }
  }
}

