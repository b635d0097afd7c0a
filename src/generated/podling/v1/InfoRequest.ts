// Original file: proto/podling/v1/admin.proto


export interface InfoRequest {
}

export interface InfoRequest__Output {
}
