// Original file: proto/podling/v1/admin.proto


export interface CheckNetworkRequest {
}

export interface CheckNetworkRequest__Output {
}
