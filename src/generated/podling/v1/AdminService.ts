// Original file: proto/podling/v1/admin.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CheckNetworkRequest as _podling_v1_CheckNetworkRequest, CheckNetworkRequest__Output as _podling_v1_CheckNetworkRequest__Output } from '../../podling/v1/CheckNetworkRequest.ts';
import type { CheckNetworkResponse as _podling_v1_CheckNetworkResponse, CheckNetworkResponse__Output as _podling_v1_CheckNetworkResponse__Output } from '../../podling/v1/CheckNetworkResponse.ts';
import type { CollectImagesRequest as _podling_v1_CollectImagesRequest, CollectImagesRequest__Output as _podling_v1_CollectImagesRequest__Output } from '../../podling/v1/CollectImagesRequest.ts';
import type { CollectImagesResponse as _podling_v1_CollectImagesResponse, CollectImagesResponse__Output as _podling_v1_CollectImagesResponse__Output } from '../../podling/v1/CollectImagesResponse.ts';
import type { CreateImageCacheRequest as _podling_v1_CreateImageCacheRequest, CreateImageCacheRequest__Output as _podling_v1_CreateImageCacheRequest__Output } from '../../podling/v1/CreateImageCacheRequest.ts';
import type { DeleteImageCacheRequest as _podling_v1_DeleteImageCacheRequest, DeleteImageCacheRequest__Output as _podling_v1_DeleteImageCacheRequest__Output } from '../../podling/v1/DeleteImageCacheRequest.ts';
import type { DeleteImageCacheResponse as _podling_v1_DeleteImageCacheResponse, DeleteImageCacheResponse__Output as _podling_v1_DeleteImageCacheResponse__Output } from '../../podling/v1/DeleteImageCacheResponse.ts';
import type { DescribeNetworkRequest as _podling_v1_DescribeNetworkRequest, DescribeNetworkRequest__Output as _podling_v1_DescribeNetworkRequest__Output } from '../../podling/v1/DescribeNetworkRequest.ts';
import type { DescribeNetworkResponse as _podling_v1_DescribeNetworkResponse, DescribeNetworkResponse__Output as _podling_v1_DescribeNetworkResponse__Output } from '../../podling/v1/DescribeNetworkResponse.ts';
import type { GetImageCacheRequest as _podling_v1_GetImageCacheRequest, GetImageCacheRequest__Output as _podling_v1_GetImageCacheRequest__Output } from '../../podling/v1/GetImageCacheRequest.ts';
import type { ImageCache as _podling_v1_ImageCache, ImageCache__Output as _podling_v1_ImageCache__Output } from '../../podling/v1/ImageCache.ts';
import type { ImageCacheChange as _podling_v1_ImageCacheChange, ImageCacheChange__Output as _podling_v1_ImageCacheChange__Output } from '../../podling/v1/ImageCacheChange.ts';
import type { InfoRequest as _podling_v1_InfoRequest, InfoRequest__Output as _podling_v1_InfoRequest__Output } from '../../podling/v1/InfoRequest.ts';
import type { InfoResponse as _podling_v1_InfoResponse, InfoResponse__Output as _podling_v1_InfoResponse__Output } from '../../podling/v1/InfoResponse.ts';
import type { LeaseImageRequest as _podling_v1_LeaseImageRequest, LeaseImageRequest__Output as _podling_v1_LeaseImageRequest__Output } from '../../podling/v1/LeaseImageRequest.ts';
import type { LeaseImageResponse as _podling_v1_LeaseImageResponse, LeaseImageResponse__Output as _podling_v1_LeaseImageResponse__Output } from '../../podling/v1/LeaseImageResponse.ts';
import type { ListImageCachesRequest as _podling_v1_ListImageCachesRequest, ListImageCachesRequest__Output as _podling_v1_ListImageCachesRequest__Output } from '../../podling/v1/ListImageCachesRequest.ts';
import type { ListImageCachesResponse as _podling_v1_ListImageCachesResponse, ListImageCachesResponse__Output as _podling_v1_ListImageCachesResponse__Output } from '../../podling/v1/ListImageCachesResponse.ts';
import type { PinImageRequest as _podling_v1_PinImageRequest, PinImageRequest__Output as _podling_v1_PinImageRequest__Output } from '../../podling/v1/PinImageRequest.ts';
import type { PinImageResponse as _podling_v1_PinImageResponse, PinImageResponse__Output as _podling_v1_PinImageResponse__Output } from '../../podling/v1/PinImageResponse.ts';
import type { PullProgress as _podling_v1_PullProgress, PullProgress__Output as _podling_v1_PullProgress__Output } from '../../podling/v1/PullProgress.ts';
import type { WatchImageCachesRequest as _podling_v1_WatchImageCachesRequest, WatchImageCachesRequest__Output as _podling_v1_WatchImageCachesRequest__Output } from '../../podling/v1/WatchImageCachesRequest.ts';
import type { WatchPullsRequest as _podling_v1_WatchPullsRequest, WatchPullsRequest__Output as _podling_v1_WatchPullsRequest__Output } from '../../podling/v1/WatchPullsRequest.ts';

export interface AdminServiceClient extends grpc.Client {
  /**
   * Compares the records with the kernel: links, addresses, routes, neighbours and every rule and set of the routers and
   * the host. Nothing is changed. Pods that come and go meanwhile are no difference.
   */
  CheckNetwork(argument: _podling_v1_CheckNetworkRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  CheckNetwork(argument: _podling_v1_CheckNetworkRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  CheckNetwork(argument: _podling_v1_CheckNetworkRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  CheckNetwork(argument: _podling_v1_CheckNetworkRequest, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Compares the records with the kernel: links, addresses, routes, neighbours and every rule and set of the routers and
   * the host. Nothing is changed. Pods that come and go meanwhile are no difference.
   */
  checkNetwork(argument: _podling_v1_CheckNetworkRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  checkNetwork(argument: _podling_v1_CheckNetworkRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  checkNetwork(argument: _podling_v1_CheckNetworkRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  checkNetwork(argument: _podling_v1_CheckNetworkRequest, callback: grpc.requestCallback<_podling_v1_CheckNetworkResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Removes the images that the configuration's [images.gc] gives up now, or only says which, and why each other one
   * stays. Joins a collection that runs. What a container, a pull, a pin or a lease needs is never removed.
   */
  CollectImages(argument: _podling_v1_CollectImagesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  CollectImages(argument: _podling_v1_CollectImagesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  CollectImages(argument: _podling_v1_CollectImagesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  CollectImages(argument: _podling_v1_CollectImagesRequest, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Removes the images that the configuration's [images.gc] gives up now, or only says which, and why each other one
   * stays. Joins a collection that runs. What a container, a pull, a pin or a lease needs is never removed.
   */
  collectImages(argument: _podling_v1_CollectImagesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  collectImages(argument: _podling_v1_CollectImagesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  collectImages(argument: _podling_v1_CollectImagesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  collectImages(argument: _podling_v1_CollectImagesRequest, callback: grpc.requestCallback<_podling_v1_CollectImagesResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Has a set of images kept ready for pods, and answers when that is recorded; the images come after it, one cache at a
   * time. The same request again gets the same cache. AlreadyExists for a name that is taken, ResourceExhausted when there
   * are too many and none may be eliminated.
   */
  CreateImageCache(argument: _podling_v1_CreateImageCacheRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  CreateImageCache(argument: _podling_v1_CreateImageCacheRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  CreateImageCache(argument: _podling_v1_CreateImageCacheRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  CreateImageCache(argument: _podling_v1_CreateImageCacheRequest, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  /**
   * Has a set of images kept ready for pods, and answers when that is recorded; the images come after it, one cache at a
   * time. The same request again gets the same cache. AlreadyExists for a name that is taken, ResourceExhausted when there
   * are too many and none may be eliminated.
   */
  createImageCache(argument: _podling_v1_CreateImageCacheRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  createImageCache(argument: _podling_v1_CreateImageCacheRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  createImageCache(argument: _podling_v1_CreateImageCacheRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  createImageCache(argument: _podling_v1_CreateImageCacheRequest, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  
  /**
   * Deletes a cache, also one that is being made. Containers keep what they are made of. A cache that is missing counts
   * as deleted.
   */
  DeleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  DeleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  DeleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  DeleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Deletes a cache, also one that is being made. Containers keep what they are made of. A cache that is missing counts
   * as deleted.
   */
  deleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  deleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  deleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  deleteImageCache(argument: _podling_v1_DeleteImageCacheRequest, callback: grpc.requestCallback<_podling_v1_DeleteImageCacheResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Says what the provider local-vpc has given out, from its records. FailedPrecondition with another provider.
   */
  DescribeNetwork(argument: _podling_v1_DescribeNetworkRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  DescribeNetwork(argument: _podling_v1_DescribeNetworkRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  DescribeNetwork(argument: _podling_v1_DescribeNetworkRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  DescribeNetwork(argument: _podling_v1_DescribeNetworkRequest, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Says what the provider local-vpc has given out, from its records. FailedPrecondition with another provider.
   */
  describeNetwork(argument: _podling_v1_DescribeNetworkRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  describeNetwork(argument: _podling_v1_DescribeNetworkRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  describeNetwork(argument: _podling_v1_DescribeNetworkRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  describeNetwork(argument: _podling_v1_DescribeNetworkRequest, callback: grpc.requestCallback<_podling_v1_DescribeNetworkResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * One cache by its id or name. NotFound without it.
   */
  GetImageCache(argument: _podling_v1_GetImageCacheRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  GetImageCache(argument: _podling_v1_GetImageCacheRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  GetImageCache(argument: _podling_v1_GetImageCacheRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  GetImageCache(argument: _podling_v1_GetImageCacheRequest, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  /**
   * One cache by its id or name. NotFound without it.
   */
  getImageCache(argument: _podling_v1_GetImageCacheRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  getImageCache(argument: _podling_v1_GetImageCacheRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  getImageCache(argument: _podling_v1_GetImageCacheRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  getImageCache(argument: _podling_v1_GetImageCacheRequest, callback: grpc.requestCallback<_podling_v1_ImageCache__Output>): grpc.ClientUnaryCall;
  
  /**
   * Says which agent answers and how it is set up.
   */
  Info(argument: _podling_v1_InfoRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  Info(argument: _podling_v1_InfoRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  Info(argument: _podling_v1_InfoRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  Info(argument: _podling_v1_InfoRequest, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Says which agent answers and how it is set up.
   */
  info(argument: _podling_v1_InfoRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  info(argument: _podling_v1_InfoRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  info(argument: _podling_v1_InfoRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  info(argument: _podling_v1_InfoRequest, callback: grpc.requestCallback<_podling_v1_InfoResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Keeps an image from being collected for a while, also by later agents; replaces its former lease. NotFound without it.
   */
  LeaseImage(argument: _podling_v1_LeaseImageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  LeaseImage(argument: _podling_v1_LeaseImageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  LeaseImage(argument: _podling_v1_LeaseImageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  LeaseImage(argument: _podling_v1_LeaseImageRequest, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Keeps an image from being collected for a while, also by later agents; replaces its former lease. NotFound without it.
   */
  leaseImage(argument: _podling_v1_LeaseImageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  leaseImage(argument: _podling_v1_LeaseImageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  leaseImage(argument: _podling_v1_LeaseImageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  leaseImage(argument: _podling_v1_LeaseImageRequest, callback: grpc.requestCallback<_podling_v1_LeaseImageResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * All caches, oldest first.
   */
  ListImageCaches(argument: _podling_v1_ListImageCachesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  ListImageCaches(argument: _podling_v1_ListImageCachesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  ListImageCaches(argument: _podling_v1_ListImageCachesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  ListImageCaches(argument: _podling_v1_ListImageCachesRequest, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  /**
   * All caches, oldest first.
   */
  listImageCaches(argument: _podling_v1_ListImageCachesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  listImageCaches(argument: _podling_v1_ListImageCachesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  listImageCaches(argument: _podling_v1_ListImageCachesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  listImageCaches(argument: _podling_v1_ListImageCachesRequest, callback: grpc.requestCallback<_podling_v1_ListImageCachesResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Keeps an image from being collected until it is unpinned or removed by name, or ends that. NotFound without it.
   */
  PinImage(argument: _podling_v1_PinImageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  PinImage(argument: _podling_v1_PinImageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  PinImage(argument: _podling_v1_PinImageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  PinImage(argument: _podling_v1_PinImageRequest, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Keeps an image from being collected until it is unpinned or removed by name, or ends that. NotFound without it.
   */
  pinImage(argument: _podling_v1_PinImageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  pinImage(argument: _podling_v1_PinImageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  pinImage(argument: _podling_v1_PinImageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  pinImage(argument: _podling_v1_PinImageRequest, callback: grpc.requestCallback<_podling_v1_PinImageResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Streams the state of one cache or of all, and then each change, until the caller ends the call. A caller that reads
   * slowly misses intermediate states of a cache, never its last one.
   */
  WatchImageCaches(argument: _podling_v1_WatchImageCachesRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_ImageCacheChange__Output>;
  WatchImageCaches(argument: _podling_v1_WatchImageCachesRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_ImageCacheChange__Output>;
  /**
   * Streams the state of one cache or of all, and then each change, until the caller ends the call. A caller that reads
   * slowly misses intermediate states of a cache, never its last one.
   */
  watchImageCaches(argument: _podling_v1_WatchImageCachesRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_ImageCacheChange__Output>;
  watchImageCaches(argument: _podling_v1_WatchImageCachesRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_ImageCacheChange__Output>;
  
  /**
   * Streams the progress of pulls, whoever started them, until the caller ends the call.
   * The first message is empty: from then on no step goes unreported. The next ones repeat the latest state of every
   * layer of the pulls that run already. A caller that reads slowly misses intermediate states of a layer, never its
   * last one; the agent waits for no caller.
   */
  WatchPulls(argument: _podling_v1_WatchPullsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_PullProgress__Output>;
  WatchPulls(argument: _podling_v1_WatchPullsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_PullProgress__Output>;
  /**
   * Streams the progress of pulls, whoever started them, until the caller ends the call.
   * The first message is empty: from then on no step goes unreported. The next ones repeat the latest state of every
   * layer of the pulls that run already. A caller that reads slowly misses intermediate states of a layer, never its
   * last one; the agent waits for no caller.
   */
  watchPulls(argument: _podling_v1_WatchPullsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_PullProgress__Output>;
  watchPulls(argument: _podling_v1_WatchPullsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_podling_v1_PullProgress__Output>;
  
}

export interface AdminServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Compares the records with the kernel: links, addresses, routes, neighbours and every rule and set of the routers and
   * the host. Nothing is changed. Pods that come and go meanwhile are no difference.
   */
  CheckNetwork: grpc.handleUnaryCall<_podling_v1_CheckNetworkRequest__Output, _podling_v1_CheckNetworkResponse>;
  
  /**
   * Removes the images that the configuration's [images.gc] gives up now, or only says which, and why each other one
   * stays. Joins a collection that runs. What a container, a pull, a pin or a lease needs is never removed.
   */
  CollectImages: grpc.handleUnaryCall<_podling_v1_CollectImagesRequest__Output, _podling_v1_CollectImagesResponse>;
  
  /**
   * Has a set of images kept ready for pods, and answers when that is recorded; the images come after it, one cache at a
   * time. The same request again gets the same cache. AlreadyExists for a name that is taken, ResourceExhausted when there
   * are too many and none may be eliminated.
   */
  CreateImageCache: grpc.handleUnaryCall<_podling_v1_CreateImageCacheRequest__Output, _podling_v1_ImageCache>;
  
  /**
   * Deletes a cache, also one that is being made. Containers keep what they are made of. A cache that is missing counts
   * as deleted.
   */
  DeleteImageCache: grpc.handleUnaryCall<_podling_v1_DeleteImageCacheRequest__Output, _podling_v1_DeleteImageCacheResponse>;
  
  /**
   * Says what the provider local-vpc has given out, from its records. FailedPrecondition with another provider.
   */
  DescribeNetwork: grpc.handleUnaryCall<_podling_v1_DescribeNetworkRequest__Output, _podling_v1_DescribeNetworkResponse>;
  
  /**
   * One cache by its id or name. NotFound without it.
   */
  GetImageCache: grpc.handleUnaryCall<_podling_v1_GetImageCacheRequest__Output, _podling_v1_ImageCache>;
  
  /**
   * Says which agent answers and how it is set up.
   */
  Info: grpc.handleUnaryCall<_podling_v1_InfoRequest__Output, _podling_v1_InfoResponse>;
  
  /**
   * Keeps an image from being collected for a while, also by later agents; replaces its former lease. NotFound without it.
   */
  LeaseImage: grpc.handleUnaryCall<_podling_v1_LeaseImageRequest__Output, _podling_v1_LeaseImageResponse>;
  
  /**
   * All caches, oldest first.
   */
  ListImageCaches: grpc.handleUnaryCall<_podling_v1_ListImageCachesRequest__Output, _podling_v1_ListImageCachesResponse>;
  
  /**
   * Keeps an image from being collected until it is unpinned or removed by name, or ends that. NotFound without it.
   */
  PinImage: grpc.handleUnaryCall<_podling_v1_PinImageRequest__Output, _podling_v1_PinImageResponse>;
  
  /**
   * Streams the state of one cache or of all, and then each change, until the caller ends the call. A caller that reads
   * slowly misses intermediate states of a cache, never its last one.
   */
  WatchImageCaches: grpc.handleServerStreamingCall<_podling_v1_WatchImageCachesRequest__Output, _podling_v1_ImageCacheChange>;
  
  /**
   * Streams the progress of pulls, whoever started them, until the caller ends the call.
   * The first message is empty: from then on no step goes unreported. The next ones repeat the latest state of every
   * layer of the pulls that run already. A caller that reads slowly misses intermediate states of a layer, never its
   * last one; the agent waits for no caller.
   */
  WatchPulls: grpc.handleServerStreamingCall<_podling_v1_WatchPullsRequest__Output, _podling_v1_PullProgress>;
  
}

export interface AdminServiceDefinition extends grpc.ServiceDefinition {
  CheckNetwork: MethodDefinition<_podling_v1_CheckNetworkRequest, _podling_v1_CheckNetworkResponse, _podling_v1_CheckNetworkRequest__Output, _podling_v1_CheckNetworkResponse__Output>
  CollectImages: MethodDefinition<_podling_v1_CollectImagesRequest, _podling_v1_CollectImagesResponse, _podling_v1_CollectImagesRequest__Output, _podling_v1_CollectImagesResponse__Output>
  CreateImageCache: MethodDefinition<_podling_v1_CreateImageCacheRequest, _podling_v1_ImageCache, _podling_v1_CreateImageCacheRequest__Output, _podling_v1_ImageCache__Output>
  DeleteImageCache: MethodDefinition<_podling_v1_DeleteImageCacheRequest, _podling_v1_DeleteImageCacheResponse, _podling_v1_DeleteImageCacheRequest__Output, _podling_v1_DeleteImageCacheResponse__Output>
  DescribeNetwork: MethodDefinition<_podling_v1_DescribeNetworkRequest, _podling_v1_DescribeNetworkResponse, _podling_v1_DescribeNetworkRequest__Output, _podling_v1_DescribeNetworkResponse__Output>
  GetImageCache: MethodDefinition<_podling_v1_GetImageCacheRequest, _podling_v1_ImageCache, _podling_v1_GetImageCacheRequest__Output, _podling_v1_ImageCache__Output>
  Info: MethodDefinition<_podling_v1_InfoRequest, _podling_v1_InfoResponse, _podling_v1_InfoRequest__Output, _podling_v1_InfoResponse__Output>
  LeaseImage: MethodDefinition<_podling_v1_LeaseImageRequest, _podling_v1_LeaseImageResponse, _podling_v1_LeaseImageRequest__Output, _podling_v1_LeaseImageResponse__Output>
  ListImageCaches: MethodDefinition<_podling_v1_ListImageCachesRequest, _podling_v1_ListImageCachesResponse, _podling_v1_ListImageCachesRequest__Output, _podling_v1_ListImageCachesResponse__Output>
  PinImage: MethodDefinition<_podling_v1_PinImageRequest, _podling_v1_PinImageResponse, _podling_v1_PinImageRequest__Output, _podling_v1_PinImageResponse__Output>
  WatchImageCaches: MethodDefinition<_podling_v1_WatchImageCachesRequest, _podling_v1_ImageCacheChange, _podling_v1_WatchImageCachesRequest__Output, _podling_v1_ImageCacheChange__Output>
  WatchPulls: MethodDefinition<_podling_v1_WatchPullsRequest, _podling_v1_PullProgress, _podling_v1_WatchPullsRequest__Output, _podling_v1_PullProgress__Output>
}
