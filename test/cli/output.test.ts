import { describe, expect, test } from "vitest";
import { alignCells, durationText, formatRows, printable, sizeText } from "../../src/cli/output.ts";

const rows = [
  { name: "a", size: 1 },
  { name: "bcd\u001b[2J", size: 22 },
];
const columns = [
  ["NAME", ({ name }: (typeof rows)[number]) => name],
  ["SIZE", ({ size }: (typeof rows)[number]) => String(size)],
] as const;

describe("formatRows()", () => {
  test("aligns a table and keeps control characters off the terminal", () => {
    expect(formatRows("table", rows, columns)).toBe("NAME      SIZE\na         1\nbcd\uFFFD[2J   22\n");
  });

  test("prints whole rows for programs", () => {
    expect(JSON.parse(formatRows("json", rows, columns))).toEqual(rows);
    expect(formatRows("yaml", rows.slice(0, 1), columns)).toBe("- name: a\n  size: 1\n");
  });

  test("prints headings alone for nothing", () => {
    expect(formatRows("table", [], columns)).toBe("NAME   SIZE\n");
    expect(formatRows("json", [], columns)).toBe("[]\n");
  });
});

test("alignCells() leaves no blanks at line ends", () => {
  expect(
    alignCells([
      ["aa", ""],
      ["b", "c"],
    ]),
  ).toBe("aa\nb    c\n");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [9_949, "9.9 kB"],
  [9_951, "10 kB"],
  [999_499, "999 kB"],
  [999_501, "1.0 MB"],
  [123_456_789, "123 MB"],
  [1.5e9, "1.5 GB"],
  [9e15, "9000 TB"],
])("sizeText(%d) is %s", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

test.each([
  [0.4, "0 ms"],
  [999, "999 ms"],
  [1000, "1.0 s"],
  [59_600, "60 s"],
  [120_000, "2 min"],
  [7_199_999, "119 min"],
  [7_200_000, "2 h"],
  [172_800_000, "2 days"],
])("durationText(%d) is %s", (durationMs, text) => {
  expect(durationText(durationMs)).toBe(text);
});

test("printable() keeps letters of every script", () => {
  expect(printable("grün 緑\u0007\u009b\n")).toBe("grün 緑\uFFFD\uFFFD\uFFFD");
});
