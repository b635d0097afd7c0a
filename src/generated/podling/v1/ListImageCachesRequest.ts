// Original file: proto/podling/v1/admin.proto


export interface ListImageCachesRequest {
}

export interface ListImageCachesRequest__Output {
}
