import { constants, createDeflate, createInflate } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commandChannelProtocols,
  decodeMessage,
  encodeMessage,
  portForwardChannelProtocols,
} from "../../../src/rpc/streaming/channel-codec.ts";
import { encodeStatus } from "../../../src/rpc/streaming/command-status.ts";
import { spdyDictionary } from "../../../src/rpc/streaming/spdy-dictionary.ts";
import { SpdyError } from "../../../src/rpc/streaming/spdy-error.ts";
import { frameHead, type SpdyFrame, SpdyFrameReader } from "../../../src/rpc/streaming/spdy-frame.ts";
import {
  formatHeaderBlock,
  parseHeaderBlock,
  SpdyHeaderReader,
  type SpdyHeaders,
  SpdyHeaderWriter,
} from "../../../src/rpc/streaming/spdy-headers.ts";
import { ResizeReader } from "../../../src/rpc/streaming/terminal-resize.ts";

const bytes = (max = 300) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const streamId = fc.integer({ min: 0, max: 0x7fffffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const anyFrame: fc.Arbitrary<SpdyFrame> = fc.oneof(
  fc.record({ kind: fc.constant("data" as const), streamId, chunk: bytes(), fin: fc.boolean() }),
  fc.record({
    kind: fc.constant("synStream" as const),
    streamId,
    fin: fc.boolean(),
    unidirectional: fc.boolean(),
    headerBlock: bytes(),
  }),
  fc.record({ kind: fc.constant("synReply" as const), streamId, fin: fc.boolean(), headerBlock: bytes() }),
  fc.record({ kind: fc.constant("headers" as const), streamId, fin: fc.boolean(), headerBlock: bytes() }),
  fc.record({ kind: fc.constant("rstStream" as const), streamId, status: u32 }),
  fc.record({ kind: fc.constant("ping" as const), id: u32 }),
  fc.record({ kind: fc.constant("goAway" as const), lastStreamId: streamId, status: u32 }),
  fc.record({ kind: fc.constant("windowUpdate" as const), streamId, delta: streamId }),
  fc.record({ kind: fc.constant("settings" as const), payload: bytes() }),
);
const headers: fc.Arbitrary<SpdyHeaders> = fc
  .dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.string({ maxLength: 200 }), { maxKeys: 20 })
  .map((entries) => ({ ...entries }));

const wire = (frame: SpdyFrame) =>
  Buffer.concat([frameHead(frame), frame.kind === "data" ? frame.chunk : Buffer.alloc(0)]);

describe("SpdyFrameReader", () => {
  test("finds the frames again, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.nat(400), { maxLength: 40 }), (frames, cuts) => {
        const reader = new SpdyFrameReader();
        const all = Buffer.concat(frames.map(wire));
        const found: SpdyFrame[] = [];
        const take = (chunk: Buffer) => {
          for (const frame of reader.push(chunk)) {
            // What a caller keeps it has to copy.
            found.push(frame.kind === "data" ? { ...frame, chunk: Buffer.from(frame.chunk) } : structuredCopy(frame));
          }
          chunk.fill(0xee);
        };
        let at = 0;
        for (const cut of cuts) {
          take(Buffer.from(all.subarray(at, at + cut)));
          at += cut;
        }
        take(Buffer.from(all.subarray(at)));
        expect(controlFrames(found)).toEqual(controlFrames(frames));
        expect(dataOf(found)).toEqual(dataOf(frames));
      }),
    );
  });

  test("never keeps a data frame, and passes its FIN on with its last piece", () => {
    const reader = new SpdyFrameReader();
    const head = frameHead({ kind: "data", streamId: 5, chunk: Buffer.alloc(1000), fin: true });
    const frames = [...reader.push(head), ...reader.push(Buffer.alloc(999)), ...reader.push(Buffer.alloc(1))];
    expect(frames.map((frame) => frame.kind === "data" && [frame.chunk.length, frame.fin])).toEqual([
      [999, false],
      [1, true],
    ]);
  });

  test.each([
    ["another version", Buffer.of(0x80, 2, 0, 1, 0, 0, 0, 0)],
    ["a control frame longer than any", Buffer.of(0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff)],
    ["a short SYN_STREAM", Buffer.of(0x80, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1)],
    ["a short RST_STREAM", Buffer.of(0x80, 3, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1)],
    ["an empty PING", Buffer.of(0x80, 3, 0, 6, 0, 0, 0, 0)],
  ])("refuses %s", (_, frame) => {
    expect(() => [...new SpdyFrameReader().push(frame)]).toThrow(SpdyError);
  });

  test("skips frames of a type that SPDY/3.1 does not know", () => {
    const unknown = Buffer.of(0x80, 3, 0, 99, 0, 0, 0, 2, 1, 2);
    const ping = frameHead({ kind: "ping", id: 7 });
    expect([...new SpdyFrameReader().push(Buffer.concat([unknown, ping]))]).toEqual([{ kind: "ping", id: 7 }]);
  });

  test("throws nothing but SpdyError, whatever comes", () => {
    fc.assert(
      fc.property(bytes(2000), (noise) => {
        try {
          for (const _ of new SpdyFrameReader().push(noise));
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError);
        }
      }),
    );
  });
});

function structuredCopy(frame: Exclude<SpdyFrame, { kind: "data" }>): SpdyFrame {
  if ("headerBlock" in frame) return { ...frame, headerBlock: Buffer.from(frame.headerBlock) };
  return "payload" in frame ? { ...frame, payload: Buffer.from(frame.payload) } : frame;
}

function controlFrames(frames: readonly SpdyFrame[]): readonly SpdyFrame[] {
  return frames.filter(({ kind }) => kind !== "data");
}

/** All bytes of data frames in order, with their streams and ends. */
function dataOf(frames: readonly SpdyFrame[]): string {
  return frames.map((frame) => (frame.kind === "data" ? `${dataText(frame)}` : "")).join("");
}

function dataText({ streamId: id, chunk, fin }: { streamId: number; chunk: Buffer; fin: boolean }): string {
  const each = [...chunk].map((byte) => `${id}:${byte};`).join("");
  return fin ? `${each}${id}:end;` : each;
}

describe("SPDY header compression", () => {
  test("the dictionary is SPDY/3.1's", () => {
    let [a, b] = [1, 0];
    for (const byte of spdyDictionary) {
      a = (a + byte) % 65_521;
      b = (b + a) % 65_521;
    }
    expect([spdyDictionary.length, (b * 65_536 + a).toString(16)]).toEqual([1423, "e3c6a7c2"]);
  });

  test("what is written is read, block after block", () => {
    fc.assert(
      fc.property(fc.array(headers, { maxLength: 30 }), (blocks) => {
        const [writer, reader] = [new SpdyHeaderWriter(), new SpdyHeaderReader()];
        for (const block of blocks) expect(reader.read(writer.write(block))).toEqual(block);
      }),
    );
  });

  test("zlib's own streams read what is written, and write what is read", async () => {
    const blocks = Array.from({ length: 300 }, (_, index) => ({
      streamtype: index % 2 === 0 ? "data" : "error",
      port: String(8000 + index),
      requestid: String(index),
      filler: "x".repeat((index * 37) % 500),
    }));
    const writer = new SpdyHeaderWriter();
    const inflate = createInflate({ dictionary: spdyDictionary });
    const texts: Buffer[] = [];
    inflate.on("data", (chunk: Buffer) => texts.push(chunk));
    for (const block of blocks) inflate.write(writer.write(block));
    await new Promise<void>((resolve) => inflate.flush(() => resolve()));
    expect(Buffer.concat(texts).equals(Buffer.concat(blocks.map(formatHeaderBlock)))).toBe(true);

    const reader = new SpdyHeaderReader();
    const deflate = createDeflate({ dictionary: spdyDictionary });
    for (const block of blocks) {
      deflate.write(formatHeaderBlock(block));
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
      expect(reader.read(deflate.read() as Buffer)).toEqual(block);
    }
    inflate.destroy();
    deflate.destroy();
  });

  test.each([
    ["an empty block", Buffer.alloc(0)],
    ["no zlib stream", Buffer.from("hello")],
    ["another dictionary", Buffer.of(0x78, 0xbb, 1, 2, 3, 4)],
    ["rubbish after the head", Buffer.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2, 0xff, 0xff, 0xff)],
  ])("refuses %s", (_, block) => {
    expect(() => new SpdyHeaderReader().read(block)).toThrow(SpdyError);
  });

  test("a block that inflates to more than anybody needs is refused", () => {
    const bomb = new SpdyHeaderWriter().write({ bomb: "0".repeat(1 << 20) });
    expect(bomb.length).toBeLessThan(4096);
    expect(() => new SpdyHeaderReader().read(bomb)).toThrow(SpdyError);
  });

  test.each([
    ["too many headers", Buffer.of(0, 0, 0, 101)],
    ["a length beyond the end", Buffer.of(0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff)],
    ["an early end", Buffer.of(0, 0, 0, 2, 0, 0, 0, 1, 65, 0, 0, 0, 0)],
    ["a repeated name", Buffer.of(0, 0, 0, 2, 0, 0, 0, 1, 65, 0, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 0, 0)],
    ["an empty name", Buffer.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)],
  ])("a header block with %s is refused", (_, block) => {
    expect(() => parseHeaderBlock(block)).toThrow(SpdyError);
  });
});

describe("WebSocket channels", () => {
  const protocols = [...commandChannelProtocols, ...portForwardChannelProtocols];

  test("decode gives back what encode was given, in every protocol", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...protocols),
        fc.integer({ min: 0, max: 60 }),
        bytes(),
        (protocol, channel, chunk) => {
          const message = Buffer.from(encodeMessage(protocol, channel, chunk));
          expect(decodeMessage(protocol, message)).toEqual({ kind: "data", channel, chunk });
        },
      ),
    );
  });

  test("only v5 knows how to end one channel", () => {
    const close = Buffer.of(255, 0);
    const [v5, v4] = commandChannelProtocols;
    if (v5 === undefined || v4 === undefined) throw new Error("no protocols");
    expect(decodeMessage(v5, close)).toEqual({ kind: "close", channel: 0 });
    expect(decodeMessage(v4, close)).toEqual({ kind: "data", channel: 255, chunk: Buffer.of(0) });
    expect(decodeMessage(v5, Buffer.of(255))).toBeUndefined();
    for (const protocol of protocols) expect(decodeMessage(protocol, Buffer.alloc(0))).toBeUndefined();
  });

  test("the base64 forms are text: a digit and the chunk", () => {
    const protocol = commandChannelProtocols.find(({ name }) => name === "v4.base64.channel.k8s.io");
    if (protocol === undefined) throw new Error("no protocol");
    expect(encodeMessage(protocol, 1, Buffer.from("\n"))).toBe("1Cg==");
    expect(decodeMessage(protocol, Buffer.from("0Zm9vCgo="))).toMatchObject({
      channel: 0,
      chunk: Buffer.from("foo\n\n"),
    });
    expect(decodeMessage(protocol, Buffer.from("!"))).toBeUndefined();
  });
});

describe("ResizeReader", () => {
  test("reads sizes one after another, wherever they are cut", () => {
    const size = fc.record({ width: fc.integer({ min: 1, max: 65_535 }), height: fc.integer({ min: 1, max: 65_535 }) });
    fc.assert(
      fc.property(fc.array(size, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 20 })), (sizes, cuts) => {
        const text = sizes.map(({ width, height }) => `{"Width":${width},"Height":${height}}\n`).join("");
        const reader = new ResizeReader();
        const found = [];
        let at = 0;
        for (const cut of [...cuts, text.length]) {
          found.push(...reader.push(Buffer.from(text.slice(at, at + cut))));
          at += cut;
        }
        expect(found).toEqual(sizes);
      }),
    );
  });

  test.each([
    [
      "sizes of no terminal are dropped",
      '{"Width":0,"Height":1}{"Width":80}{"width":3,"height":4}',
      [{ width: 3, height: 4 }],
    ],
    ["nothing after rubbish", 'nonsense}{"Width":3,"Height":4}', []],
    ["nothing after an endless object", `{${" ".repeat(2000)}`, []],
  ])("%s", (_, text, sizes) => {
    const reader = new ResizeReader();
    expect(reader.push(Buffer.from(text))).toEqual(sizes);
  });
});

describe("encodeStatus()", () => {
  test.each([
    [{ kind: "exited", exitCode: 0 }, { metadata: {}, status: "Success" }, ""],
    [{ kind: "detached" }, { metadata: {}, status: "Success" }, ""],
    [
      { kind: "exited", exitCode: 3 },
      {
        metadata: {},
        status: "Failure",
        message: "command terminated with non-zero exit code: exit status 3",
        reason: "NonZeroExitCode",
        details: { causes: [{ reason: "ExitCode", message: "3" }] },
      },
      "command terminated with non-zero exit code: exit status 3",
    ],
    [
      { kind: "failed", message: "no such program" },
      {
        metadata: {},
        status: "Failure",
        message: "Internal error occurred: no such program",
        reason: "InternalError",
        code: 500,
      },
      "Internal error occurred: no such program",
    ],
  ] as const)("%j", (outcome, json, text) => {
    expect(JSON.parse(encodeStatus(outcome, "json").toString())).toEqual(json);
    expect(encodeStatus(outcome, "text").toString()).toBe(text);
  });
});
