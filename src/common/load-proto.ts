import { join } from "node:path";
import { type GrpcObject, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync, type Options, type PackageDefinition } from "@grpc/proto-loader";

/** The folder of our .proto files; imports inside them are relative to it. */
export const protoFolder = join(import.meta.dirname, "../../proto");

/**
 * How messages look in TypeScript; `npm run gen` writes the types with the same choices.
 * 64-bit numbers are decimal text, exact above 2^53. Enums are their names, so an unknown number stays a number and
 * is told apart. An absent message is null, an absent scalar its zero value. Bytes are Buffers.
 */
export const protoOptions: Options = {
  keepCase: true,
  longs: String,
  enums: String,
  bytes: Buffer,
  defaults: true,
  oneofs: true,
  includeDirs: [protoFolder],
};

/** Service definitions of files below proto/, such as "runtime/v1/api.proto"; what servers and reflection register. */
export function loadDefinition(...files: readonly string[]): PackageDefinition {
  return loadSync([...files], protoOptions);
}

/** Client constructors and service definitions of a file; cast to its generated `ProtoGrpcType`. */
export function loadPackage(...files: readonly string[]): GrpcObject {
  return loadPackageDefinition(loadDefinition(...files));
}
