// Original file: proto/podling/v1/admin.proto


export interface DeleteImageCacheResponse {
}

export interface DeleteImageCacheResponse__Output {
}
