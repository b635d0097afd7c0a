import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame, type Frame, FrameDecoder, frameType, maxFrameBytes } from "../../src/runtime/ttrpc-frame.ts";

const frames = fc.array(
  fc.record({
    streamId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    type: fc.integer({ min: 1, max: 3 }),
    flags: fc.integer({ min: 0, max: 255 }),
    data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 20 },
);

test("encodeFrame() writes length, stream, type and flags big-endian before the data", () => {
  const bytes = encodeFrame({ streamId: 0x01020305, type: frameType.request, flags: 2, data: Buffer.from("abc") });
  expect(bytes.toString("hex")).toBe("00000003" + "01020305" + "01" + "02" + "616263");
});

test("FrameDecoder gives back what was encoded, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(encodeFrame));
      const decoder = new FrameDecoder();
      const got: Frame[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const step = cuts[turn % cuts.length] ?? 1;
        got.push(...decoder.push(bytes.subarray(at, at + step)));
        at += step;
      }
      expect(got).toEqual(sent);
    }),
  );
});

test("FrameDecoder accepts the largest frame", () => {
  const data = Buffer.alloc(maxFrameBytes, 7);
  const [frame] = new FrameDecoder().push(encodeFrame({ streamId: 1, type: frameType.response, flags: 0, data }));
  expect(frame?.data.equals(data)).toBe(true);
});

test("FrameDecoder refuses a frame that announces more than the limit, before its data come", () => {
  const header = Buffer.alloc(10);
  header.writeUInt32BE(maxFrameBytes + 1, 0);
  expect(() => new FrameDecoder().push(header)).toThrow(
    expect.objectContaining({ code: "DataLoss", message: expect.stringContaining(String(maxFrameBytes + 1)) }),
  );
});

test("encodeFrame() refuses data beyond the limit", () => {
  const frame = { streamId: 1, type: frameType.request, flags: 0, data: Buffer.alloc(maxFrameBytes + 1) };
  expect(() => encodeFrame(frame)).toThrow(expect.objectContaining({ code: "ResourceExhausted" }));
});
