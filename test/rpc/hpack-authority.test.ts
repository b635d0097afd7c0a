import { describe, expect, test } from "vitest";
import { decodeHuffman, mendAuthority } from "../../src/rpc/hpack-authority.ts";

/** RFC 7541, appendix C.4.1: GET http www.example.com/, in Huffman codes. */
const example = Buffer.from("828684418cf1e3c2e5f23a6ba0ab90f4ff", "hex");
/** As crictl 1.26 sends it for the socket /tmp/auth.sock: POST, the path of Version, then the authority. */
const old = Buffer.from("8386", "hex");
const huffman = Buffer.from("6134d6c0ed4ceba0e4eb", "hex");
const authority = Buffer.concat([Buffer.from([0x41, 0x80 | huffman.length]), huffman]);
const rest = Buffer.from("5f8b1d75d0620d263d4c4d6564", "hex");

const literal = (first: number, text: string) => Buffer.concat([Buffer.from([first, text.length]), Buffer.from(text)]);

describe("decodeHuffman()", () => {
  test.each([
    ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
    ["a8eb10649cbf", "no-cache"],
    ["25a849e95bb8e8b4bf", "custom-value"],
    ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["", ""],
  ])("reads the RFC's example %s", (hex, text) => {
    expect(decodeHuffman(Buffer.from(hex, "hex"))?.toString()).toBe(text);
  });

  test("refuses padding that is none", () => {
    expect(decodeHuffman(Buffer.from("f1e3c2e5f23a6ba0ab90f400", "hex"))).toBeUndefined();
    expect(decodeHuffman(Buffer.from("ffffffff", "hex"))).toBeUndefined();
  });
});

describe("mendAuthority()", () => {
  test.each([
    ["a host in Huffman codes", example],
    ["a host as it is", literal(0x41, "localhost")],
    ["an escaped path", literal(0x41, "%2Frun%2Fpodling.sock")],
    ["no authority at all", Buffer.from("8286", "hex")],
    ["an authority from the table", Buffer.from("82be86", "hex")],
    ["a header of another name", literal(0x44, "/path")],
    ["a block that breaks off", authority.subarray(0, 6)],
    ["an integer without an end", Buffer.from("41ffffffffffffffff", "hex")],
  ])("leaves %s alone", (_, block) => {
    expect(mendAuthority(block)).toBe(block);
  });

  test("puts a host of the same length in place of a socket's path, wherever it stands", () => {
    expect(decodeHuffman(huffman)?.toString()).toBe("/tmp/auth.sock");
    const mended = mendAuthority(Buffer.concat([old, authority, rest]));
    expect(mended).toEqual(Buffer.concat([old, literal(0x41, "localhost00000"), rest]));
    for (const first of [0x01, 0x11]) {
      expect(mendAuthority(literal(first, "/run/x"))).toEqual(literal(first, "localh"));
    }
    expect(mendAuthority(Buffer.concat([Buffer.from("3fe11f", "hex"), literal(0x41, "/a")]))).toEqual(
      Buffer.concat([Buffer.from("3fe11f", "hex"), literal(0x41, "lo")]),
    );
  });

  test("writes long texts with their length in several octets", () => {
    const path = `/${"p".repeat(106)}`;
    const long = (text: string) => Buffer.concat([Buffer.from([0x41, text.length]), Buffer.from(text)]);
    expect(mendAuthority(long(path))).toEqual(long("localhost".padEnd(107, "0")));
    const longer = `/${"p".repeat(299)}`;
    const prefixed = (text: string) =>
      Buffer.concat([Buffer.from([0x41, 127, 0x80 | ((300 - 127) & 127), 1]), Buffer.from(text)]);
    expect(mendAuthority(prefixed(longer))).toEqual(prefixed("localhost".padEnd(300, "0")));
  });
});
