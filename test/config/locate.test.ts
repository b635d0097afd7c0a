import fc from "fast-check";
import { parse, TomlError } from "smol-toml";
import { describe, expect, test } from "vitest";
import { defaultConfigText } from "../../src/config-default.ts";
import { type KeyPath, keyOfPath, locateKeys } from "../../src/config-locate.ts";

/** Every key path of a parsed document, each with its value. */
function pathsOf(value: unknown, path: KeyPath = []): ReadonlyArray<readonly [KeyPath, unknown]> {
  const here = path.length === 0 ? [] : [[path, value] as const];
  if (typeof value !== "object" || value === null || value instanceof Date) return here;
  const entries: ReadonlyArray<readonly [string | number, unknown]> = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return [...here, ...entries.flatMap(([step, entry]) => pathsOf(entry, [...path, step]))];
}

const located: ReadonlyArray<readonly [string, Readonly<Record<string, number>>]> = [
  ["a = 1\n\n# a = 2\nb = 2", { '["a"]': 1, '["b"]': 4 }],
  [
    "[x]\ny.z = 1\n[x.w]\nv = 1",
    { '["x"]': 1, '["x","y"]': 2, '["x","y","z"]': 2, '["x","w"]': 3, '["x","w","v"]': 4 },
  ],
  [
    "[[n.v]]\nid = 1\n[n.v.t]\nk=1\n[[n.v]]\nid = 2\n[[n.v.u]]\n[[n.v.u]]\nm=3",
    { '["n","v",0,"id"]': 2, '["n","v",0,"t","k"]': 4, '["n","v",1]': 5, '["n","v",1,"u",1,"m"]': 9 },
  ],
  [
    'a = [\n  1, # ]\n  [2,\n 3],\n  {b = "}"},\n]\nc=1',
    { '["a",0]': 2, '["a",1,1]': 4, '["a",2,"b"]': 5, '["c"]': 7 },
  ],
  ['"a.b" = """\nx = 1 \\"""\n"""""\n\'c\' = \'\'\'\ny = 2\n\'\'\'\nd=1', { '["a.b"]': 1, '["c"]': 4, '["d"]': 7 }],
  [
    "a = {\n  b = 1,\n  c.d = [ { e = 2 },\n {\n f = 3 } ],\n}",
    { '["a","b"]': 2, '["a","c","d",1]': 4, '["a","c","d",1,"f"]': 5 },
  ],
  ['"\\u0041\\"" = 1979-05-27 07:32:00 # x\n\tb = 1\r\nc = 0', { '["A\\""]': 1, '["b"]': 2, '["c"]': 3 }],
  ["[ a . 'b' ]\nc = 1", { '["a","b","c"]': 2 }],
];

describe("locateKeys()", () => {
  test.each(located)("finds the lines in %j", (text, lines) => {
    expect(() => parse(text)).not.toThrow();
    const found = locateKeys(text);
    expect(Object.fromEntries(Object.keys(lines).map((key) => [key, found.get(key)]))).toEqual(lines);
  });

  test("knows every path of the default configuration, and no other", () => {
    const paths = pathsOf(parse(defaultConfigText)).map(([path]) => keyOfPath(path));
    expect([...locateKeys(defaultConfigText).keys()].sort()).toEqual(paths.sort());
  });

  test("agrees with smol-toml on the keys of any document, and finds each number on its own line", () => {
    fc.assert(
      fc.property(documents, (text) => {
        const lines = text.split("\n");
        const found = locateKeys(text);
        const paths = pathsOf(parse(text));
        expect([...found.keys()].sort()).toEqual(paths.map(([path]) => keyOfPath(path)).sort());
        for (const [path, value] of paths) {
          if (typeof value !== "number") continue;
          expect(lines[(found.get(keyOfPath(path)) ?? 0) - 1]).toContain(String(value));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("ends on any text, TOML or not", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."[]{}=.,\"'#\n\\ab 1"), maxLength: 40 }), (text) => {
        try {
          locateKeys(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TomlError); // a quoted key that is none
        }
      }),
    );
  });
});

/** A tree whose leaves are to become different numbers or tricky strings. */
type Tree = { readonly kind: "leaf"; readonly tricky: string | undefined } | TableTree | ArrayTree;
interface TableTree {
  readonly kind: "table";
  readonly style: "header" | "inline" | "dotted";
  readonly entries: Readonly<Record<string, Tree>>;
}
interface ArrayTree {
  readonly kind: "array";
  readonly entries: readonly Tree[];
  readonly headers: boolean;
}

const trickyStrings = ['"]}"', "'#\"'", '"""\n[x]\ny = """', "'''\n[[z]]\n'''", '"\\"\\\\"', '""""a"" """'];
const key = fc.oneof(fc.constantFrom("a", "b", "c-d", "7", "x.y", 'q"', "", "ä", "#"), fc.string({ maxLength: 4 }));

const { tree } = fc.letrec<{ tree: Tree; table: TableTree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({
      kind: fc.constant("leaf" as const),
      tricky: fc.option(fc.constantFrom(...trickyStrings), { nil: undefined, freq: 3 }),
    }),
    tie("table"),
    fc.record({
      kind: fc.constant("array" as const),
      headers: fc.constant(false),
      entries: fc.array(tie("tree"), { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("array" as const),
      headers: fc.constant(true),
      entries: fc.array(tie("table"), { minLength: 1, maxLength: 3 }),
    }),
  ),
  table: fc.record({
    kind: fc.constant("table" as const),
    style: fc.constantFrom("header" as const, "inline" as const, "dotted" as const),
    entries: fc.dictionary(key, tie("tree"), { maxKeys: 3 }),
  }),
}));

const documents = fc
  .tuple(fc.dictionary(key, tree, { maxKeys: 4 }), fc.infiniteStream(fc.constantFrom("", "\n", " # [c]\n", "\r\n\n")))
  .filter(([entries]) => !JSON.stringify(entries).includes("__proto__"))
  .map(([entries, gaps]) => write(entries, () => gaps.next().value ?? ""));

/** Writes the tree as TOML in the styles that it asks for, with the gaps between its lines. */
function write(root: Readonly<Record<string, Tree>>, gap: () => string): string {
  let next = 1_000_000;
  const quoted = (name: string) =>
    /^[\w-]+$/.test(name) ? name : JSON.stringify(name).replaceAll("\u007f", "\\u007f");
  const inline = (node: Tree): string => {
    if (node.kind === "leaf") return node.tricky ?? String(next++);
    if (node.kind === "array") return `[${node.entries.map((entry) => `${gap()}${inline(entry)}`).join(",")}${gap()}]`;
    const pairs = Object.entries(node.entries).map(([name, entry]) => `${quoted(name)} = ${inline(entry)}`);
    return `{ ${pairs.join(" , ")} }`;
  };
  const table = (path: string, entries: Readonly<Record<string, Tree>>): string => {
    let pairs = "";
    let headers = "";
    for (const [name, node] of Object.entries(entries)) {
      const below = path === "" ? quoted(name) : `${path} . ${quoted(name)}`;
      if (node.kind === "table" && node.style === "header") {
        headers += `[ ${below} ]\n${gap()}${table(below, node.entries)}`;
      } else if (node.kind === "array" && node.headers) {
        for (const entry of node.entries) {
          headers += `${gap()}[[${below}]]\n${table(below, entry.kind === "table" ? entry.entries : {})}`;
        }
      } else if (node.kind === "table" && node.style === "dotted" && Object.keys(node.entries).length > 0) {
        for (const [inner, leaf] of Object.entries(node.entries)) {
          pairs += `${quoted(name)}.${quoted(inner)} = ${inline(leaf)}${gap()}\n`;
        }
      } else {
        pairs += `${gap()} ${quoted(name)}= ${inline(node)}\n`;
      }
    }
    return pairs + headers;
  };
  return table("", root);
}
