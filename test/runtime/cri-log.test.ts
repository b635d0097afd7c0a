import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CriLogEncoder, criTime, maxContentBytes, parseLogRecord } from "../../src/runtime/cri-log.ts";

const time = "2026-01-02T03:04:05.678901234Z";

/** The log of these chunks, its end included. */
function encode(chunks: readonly Buffer[]): string {
  const encoder = new CriLogEncoder("stdout");
  const parts = chunks.map((chunk) => Buffer.from(encoder.push(chunk, time)));
  return Buffer.concat([...parts, encoder.end(time)]).toString("latin1");
}

const head = (tag: string) => `${time} stdout ${tag} `;
const long = "x".repeat(maxContentBytes);

const lines: ReadonlyArray<readonly [what: string, chunks: readonly string[], want: string]> = [
  ["a line", ["hello\n"], `${head("F")}hello\n`],
  ["an empty line", ["\n"], `${head("F")}\n`],
  ["nothing", [], ""],
  ["two lines in one chunk", ["a\nb\n"], `${head("F")}a\n${head("F")}b\n`],
  ["one line in three chunks", ["a", "b", "c\n"], `${head("F")}abc\n`],
  ["a line without its end", ["a\nb"], `${head("F")}a\n${head("P")}b\n`],
  ["a line ended by CR LF", ["a\r\nb\r\n"], `${head("F")}a\n${head("F")}b\n`],
  ["CR and LF in two chunks", ["a\r", "\n"], `${head("F")}a\n`],
  ["CR inside a line", ["a\rb\n"], `${head("F")}a\rb\n`],
  ["CR LF alone", ["\r\n"], `${head("F")}\n`],
  ["a line of exactly the limit", [`${long}\n`], `${head("F")}${long}\n`],
  ["one of the limit whose end comes later", [long, "\n"], `${head("F")}${long}\n`],
  ["one byte more than the limit", [`${long}y\n`], `${head("P")}${long}\n${head("F")}y\n`],
  ["the same in two chunks", [`${long}y`, "\n"], `${head("P")}${long}\n${head("F")}y\n`],
  ["twice the limit", [`${long}${long}\n`], `${head("P")}${long}\n${head("F")}${long}\n`],
  ["the limit without an end", [long], `${head("P")}${long}\n`],
  ["bytes that are no UTF-8", ["\xff\xfe\n"], `${head("F")}\xff\xfe\n`],
];

describe("CriLogEncoder", () => {
  test.each(lines)("writes %s", (_, chunks, want) => {
    expect(encode(chunks.map((chunk) => Buffer.from(chunk, "latin1")))).toBe(want);
  });

  test("writes the same records wherever the chunks are cut, and loses no byte", () => {
    const text = fc
      .array(fc.constantFrom("a", "\n", "\r\n", "\r", "x".repeat(5_000), long), { maxLength: 30 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1 }), (content, cuts) => {
        const bytes = Buffer.from(content);
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const step = cuts[chunks.length % cuts.length] ?? 1;
          chunks.push(bytes.subarray(at, at + step));
          at += step;
        }
        const log = encode(chunks);
        expect(log).toBe(encode([bytes]));
        let read = "";
        for (const line of log.split("\n").slice(0, -1)) {
          const record = parseLogRecord(Buffer.from(line));
          expect(record?.content.length).toBeLessThanOrEqual(maxContentBytes);
          read += `${record?.content.toString()}${record?.partial === true ? "" : "\n"}`;
        }
        // Only the CR of a line's end is dropped.
        expect(read).toBe(content.replaceAll("\r\n", "\n"));
      }),
    );
  });
});

test.each([
  [0, "1970-01-01T00:00:00.000000000Z"],
  [1_700_000_000_123.5, "2023-11-14T22:13:20.123500000Z"],
  [1_700_000_000_999.75, "2023-11-14T22:13:20.999750000Z"],
])("criTime(%d) is %s", (nowMs, text) => {
  expect(criTime(nowMs)).toBe(text);
});

test.each(["", "2026-01-01T00:00:00Z stdout", "x stdin F a", "x stdout Q a", "half a reco"])(
  "parseLogRecord() refuses %j",
  (line) => {
    expect(parseLogRecord(Buffer.from(line))).toBeUndefined();
  },
);

test("parseLogRecord() accepts more tags after the first", () => {
  expect(parseLogRecord(Buffer.from(`${time} stderr P:tag a b`))).toEqual({
    time,
    stream: "stderr",
    partial: true,
    content: Buffer.from("a b"),
  });
});
