import { loadDefinition } from "../../src/common/load-proto.ts";

const definition = loadDefinition("runtime/v1/api.proto");

interface Codec<Output> {
  serialize(message: object): Buffer;
  deserialize(bytes: Buffer): Output;
}

/** A message as the server sees it after the wire: defaults filled in, 64-bit numbers as text. */
export function overTheWire<Output>(type: string, message: object): Output {
  const method = Object.values(definition["runtime.v1.RuntimeService"] as object).concat(
    Object.values(definition["runtime.v1.ImageService"] as object),
  );
  for (const rpc of method) {
    for (const side of ["request", "response"] as const) {
      if (rpc[`${side}Type`].type.name !== type) continue;
      const codec: Codec<Output> = {
        serialize: rpc[`${side}Serialize`],
        deserialize: rpc[`${side}Deserialize`],
      };
      return codec.deserialize(codec.serialize(message));
    }
  }
  throw new Error(`No RPC has a message ${type}`);
}
