import { join } from "node:path";
import protobuf from "protobufjs";

/** Turns one message into bytes and back. Codecs are compiled once for each message name and kept. */
export interface Codec<Message extends object> {
  encode(message: Message): Buffer;
  /** Every field is present: absent scalars are zero, 64-bit ones are decimal text, absent messages null. */
  decode(bytes: Uint8Array): Message;
}

/** google.protobuf.Any */
export interface AnyMessage {
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** google.protobuf.Timestamp */
export interface TimestampMessage {
  readonly seconds: string;
  readonly nanos: number;
}

const protoDirectory = join(import.meta.dirname, "../../proto");
const files = [
  "containerd/task/v2/task.proto",
  "containerd/task/v3/task.proto",
  "containerd/events/task.proto",
  "containerd/services/ttrpc/events/v1/events.proto",
  "containerd/runc/v1/options.proto",
  "containerd/runtime/bootstrap/v1/bootstrap.proto",
  "google/rpc/status.proto",
  "ttrpc/ttrpc.proto",
];

const codecs = new Map<string, Codec<object>>();
let root: protobuf.Root | undefined;

/** @param name full message name, such as "containerd.task.v2.CreateTaskRequest" */
export function codecOf<Message extends object>(name: string): Codec<Message> {
  let codec = codecs.get(name);
  if (codec === undefined) {
    codec = compile(loadRoot().lookupType(name));
    codecs.set(name, codec);
  }
  // The map is keyed by the very name that fixes the message's type.
  return codec as Codec<Message>;
}

function compile(type: protobuf.Type): Codec<object> {
  return {
    encode: (message) => Buffer.from(type.encode(type.fromObject(message)).finish()),
    decode: (bytes) => type.toObject(type.decode(bytes), { defaults: true, arrays: true, longs: String }),
  };
}

function loadRoot(): protobuf.Root {
  if (root !== undefined) return root;
  const loading = new protobuf.Root();
  // The well-known types come with the library; ours are named from the proto directory.
  loading.resolvePath = (_origin, target) =>
    target.startsWith("google/protobuf/") ? target : join(protoDirectory, target);
  loading.loadSync(files, { keepCase: true });
  loading.resolveAll();
  root = loading;
  return loading;
}

/** Milliseconds since the epoch; 0 for an absent time. Nanoseconds below the millisecond become its fraction. */
export function timestampMs(timestamp: TimestampMessage | null): number {
  return timestamp === null ? 0 : Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6;
}
