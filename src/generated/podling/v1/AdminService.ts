// Original file: proto/podling/v1/admin.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { InfoRequest as _podling_v1_InfoRequest, InfoRequest__Output as _podling_v1_InfoRequest__Output } from '../../podling/v1/InfoRequest.ts';
import type { InfoResponse as _podling_v1_InfoResponse, InfoResponse__Output as _podling_v1_InfoResponse__Output } from '../../podling/v1/InfoResponse.ts';
import type { PullProgress as _podling_v1_PullProgress, PullProgress__Output as _podling_v1_PullProgress__Output } from '../../podling/v1/PullProgress.ts';
import type { WatchPullsRequest as _podling_v1_WatchPullsRequest, WatchPullsRequest__Output as _podling_v1_WatchPullsRequest__Output } from '../../podling/v1/WatchPullsRequest.ts';

export interface AdminServiceClient extends grpc.Client {
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
   * Says which agent answers and how it is set up.
   */
  Info: grpc.handleUnaryCall<_podling_v1_InfoRequest__Output, _podling_v1_InfoResponse>;
  
  /**
   * Streams the progress of pulls, whoever started them, until the caller ends the call.
   * The first message is empty: from then on no step goes unreported. The next ones repeat the latest state of every
   * layer of the pulls that run already. A caller that reads slowly misses intermediate states of a layer, never its
   * last one; the agent waits for no caller.
   */
  WatchPulls: grpc.handleServerStreamingCall<_podling_v1_WatchPullsRequest__Output, _podling_v1_PullProgress>;
  
}

export interface AdminServiceDefinition extends grpc.ServiceDefinition {
  Info: MethodDefinition<_podling_v1_InfoRequest, _podling_v1_InfoResponse, _podling_v1_InfoRequest__Output, _podling_v1_InfoResponse__Output>
  WatchPulls: MethodDefinition<_podling_v1_WatchPullsRequest, _podling_v1_PullProgress, _podling_v1_WatchPullsRequest__Output, _podling_v1_PullProgress__Output>
}
