// Original file: proto/podling/v1/admin.proto


export interface DescribeNetworkRequest {
}

export interface DescribeNetworkRequest__Output {
}
