import { parse } from "smol-toml";
import { type KeyPath, keyOfPath, locateKeys } from "./config-locate.ts";

/** Where a value was written. Line 0: in no file, it is the default. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

/** A TOML value that knows where each of its parts was written. */
export interface Sourced {
  readonly origin: Origin;
  readonly content: ReadonlyMap<string, Sourced> | readonly Sourced[] | Leaf;
}

interface Leaf {
  readonly leaf: unknown;
}

/**
 * Reads one TOML document.
 * @throws TomlError with line and column for a syntax error
 */
export function parseSourced(file: string, text: string): Sourced {
  // A key named __proto__ is nothing we know; refusing it here gives it a line and keeps it out of every object.
  const table = parse(text, { unsafeKeyBehaviour: "throw" });
  const lines = locateKeys(text);
  const source = (value: unknown, path: KeyPath, parent: Origin): Sourced => {
    const line = lines.get(keyOfPath(path));
    const origin = line === undefined ? parent : { file, line };
    if (Array.isArray(value)) {
      return { origin, content: value.map((entry, place) => source(entry, [...path, place], origin)) };
    }
    if (!isTable(value)) return { origin, content: { leaf: value } };
    const entries = Object.entries(value).map(([key, entry]) => [key, source(entry, [...path, key], origin)] as const);
    return { origin, content: new Map(entries) };
  };
  return source(table, [], { file, line: 1 });
}

/**
 * Lays a later document over an earlier one: tables merge key by key; arrays of tables whose entries all have an `id`
 * merge entry by entry, new ids going to the end; everything else is replaced.
 */
export function overlay(below: Sourced, above: Sourced): Sourced {
  const { origin } = above;
  if (below.content instanceof Map && above.content instanceof Map) {
    const merged = new Map<string, Sourced>(below.content);
    for (const [key, entry] of above.content) {
      const old = merged.get(key);
      merged.set(key, old === undefined ? entry : overlay(old, entry));
    }
    return { origin, content: merged };
  }
  const belowIds = idsOf(below);
  const aboveIds = idsOf(above);
  if (belowIds === undefined || aboveIds === undefined) return above;
  const merged = new Map<string, Sourced>(belowIds);
  for (const [id, entry] of aboveIds) {
    const old = merged.get(id);
    merged.set(id, old === undefined ? entry : overlay(old, entry));
  }
  return { origin, content: [...merged.values()] };
}

/** The plain value, with ordinary objects for tables. */
export function plainValue({ content }: Sourced): unknown {
  if (content instanceof Map) return Object.fromEntries([...content].map(([key, entry]) => [key, plainValue(entry)]));
  if (Array.isArray(content)) return content.map(plainValue);
  return (content as Leaf).leaf;
}

/** The part at the path, or undefined. */
export function partAt(root: Sourced, path: KeyPath): Sourced | undefined {
  let current: Sourced | undefined = root;
  for (const step of path) current = current === undefined ? undefined : childOf(current, step);
  return current;
}

/** Where the part at the path was written; for a part nobody wrote, where the nearest table around it was. */
export function originOf(root: Sourced, path: KeyPath): Origin {
  let current = root;
  for (const step of path) {
    const next = childOf(current, step);
    if (next === undefined) break;
    current = next;
  }
  return current.origin;
}

/** A copy of a table without some of its keys. */
export function withoutKeys(table: Sourced, keys: readonly string[]): Sourced {
  if (!(table.content instanceof Map)) return table;
  const left = new Map<string, Sourced>(table.content);
  for (const key of keys) left.delete(key);
  return { origin: table.origin, content: left };
}

/** A copy of a table with this entry. */
export function withEntry(table: Sourced, key: string, entry: Sourced): Sourced {
  if (!(table.content instanceof Map)) return table;
  return { origin: table.origin, content: new Map<string, Sourced>(table.content).set(key, entry) };
}

function childOf({ content }: Sourced, step: string | number): Sourced | undefined {
  if (content instanceof Map) return content.get(String(step));
  return Array.isArray(content) && typeof step === "number" ? content[step] : undefined;
}

/** Entries by id, or undefined for anything but an array of tables with one different text `id` each. */
function idsOf({ content }: Sourced): ReadonlyMap<string, Sourced> | undefined {
  if (!Array.isArray(content)) return undefined;
  const found = new Map<string, Sourced>();
  for (const entry of content) {
    const id = childOf(entry, "id");
    const text = id === undefined ? undefined : plainValue(id);
    if (typeof text !== "string" || found.has(text)) return undefined;
    found.set(text, entry);
  }
  return found;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !(value instanceof Date);
}
