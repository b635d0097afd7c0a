import { parse } from "smol-toml";

/** Where a key or an array element stands: table keys as text, array places as numbers. */
export type KeyPath = readonly (string | number)[];

/** Lines of a TOML document's keys, counted from 1, under {@link keyOfPath}. */
export type KeyLines = ReadonlyMap<string, number>;

/** The text under which {@link KeyLines} holds a path. */
export function keyOfPath(path: KeyPath): string {
  return JSON.stringify(path);
}

/**
 * The line on which every key, table and array element of a document first appears.
 * smol-toml tells positions for syntax errors only, so this reads the structure again; it takes text that smol-toml has
 * accepted and checks nothing (TOML 1.0 and 1.1, https://toml.io/en/v1.1.0).
 */
export function locateKeys(text: string): KeyLines {
  return new Locator(text).read();
}

/** What ends a value written without quotes or brackets. */
const bareEnd = /[,\]}#\n]|$/g;
const bareKey = /[A-Za-z0-9_-]*/y;
const blank = /(?:[ \t\r\n]|#[^\n]*)*/y;

class Locator {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  /** How many `[[table]]` headers each array of tables has had so far. */
  readonly #tableCounts = new Map<string, number>();
  #at = 0;
  #line = 1;
  #lineAt = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): KeyLines {
    let table: KeyPath = [];
    this.#skipBlank();
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] === "[") table = this.#readHeader();
      else this.#readPair(table);
      this.#skipBlank();
    }
    return this.#lines;
  }

  /** `[a.b]` or `[[a.b]]`; an array of tables on the way stands for its latest element. */
  #readHeader(): KeyPath {
    const isArray = this.#text.startsWith("[[", this.#at);
    this.#at += isArray ? 2 : 1;
    const segments = this.#readDottedKey();
    this.#at += isArray ? 2 : 1;
    const path: (string | number)[] = [];
    for (const [place, segment] of segments.entries()) {
      path.push(segment);
      this.#record(path);
      const key = keyOfPath(path);
      const count = this.#tableCounts.get(key) ?? 0;
      const opens = isArray && place === segments.length - 1;
      if (opens) this.#tableCounts.set(key, count + 1);
      if (opens) path.push(count);
      else if (count > 0) path.push(count - 1);
      this.#record(path);
    }
    return path;
  }

  #readPair(table: KeyPath): void {
    const path = [...table];
    for (const segment of this.#readDottedKey()) {
      path.push(segment);
      this.#record(path);
    }
    this.#at++; // the equals sign
    this.#skipBlank();
    this.#readValue(path);
  }

  /** Leaves the cursor behind the key and the blanks after it. */
  #readDottedKey(): readonly string[] {
    const segments: string[] = [];
    do {
      if (segments.length > 0) this.#at++;
      this.#skipBlank();
      segments.push(this.#readSimpleKey());
      this.#skipBlank();
    } while (this.#text[this.#at] === ".");
    return segments;
  }

  #readSimpleKey(): string {
    const start = this.#at;
    const quote = this.#text[start];
    if (quote === '"' || quote === "'") {
      this.#skipString();
      // smol-toml itself undoes the escapes.
      return Object.keys(parse(`${this.#text.slice(start, this.#at)} = 0`))[0] ?? "";
    }
    bareKey.lastIndex = start;
    const key = bareKey.exec(this.#text)?.[0] ?? "";
    // Never stand still, whatever the text is.
    this.#at += Math.max(key.length, 1);
    return key;
  }

  #readValue(path: KeyPath): void {
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") this.#skipString();
    else if (first === "[") this.#readArray(path);
    else if (first === "{") this.#readInlineTable(path);
    else {
      bareEnd.lastIndex = this.#at;
      this.#at = bareEnd.exec(this.#text)?.index ?? this.#text.length;
    }
  }

  #readArray(path: KeyPath): void {
    this.#readList("]", (place) => {
      this.#record([...path, place]);
      this.#readValue([...path, place]);
    });
  }

  #readInlineTable(path: KeyPath): void {
    this.#readList("}", () => this.#readPair(path));
  }

  #readList(end: string, readEntry: (place: number) => void): void {
    this.#at++;
    this.#skipBlank();
    for (let place = 0; this.#at < this.#text.length && this.#text[this.#at] !== end; place++) {
      const before = this.#at;
      readEntry(place);
      this.#skipBlank();
      // Never stand still, whatever the text is.
      if (this.#text[this.#at] === "," || this.#at === before) this.#at++;
      this.#skipBlank();
    }
    this.#at++;
  }

  #skipString(): void {
    const quote = this.#text[this.#at] ?? "";
    const long = this.#text.startsWith(quote.repeat(3), this.#at);
    const end = long ? quote.repeat(3) : quote;
    this.#at += end.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at)) {
      this.#at += quote === '"' && this.#text[this.#at] === "\\" ? 2 : 1;
    }
    this.#at += end.length;
    // A multi-line string may end with up to two quotes of its own: """a""""" holds a"".
    for (let extra = 0; long && extra < 2 && this.#text[this.#at] === quote; extra++) this.#at++;
  }

  #skipBlank(): void {
    blank.lastIndex = this.#at;
    this.#at += blank.exec(this.#text)?.[0].length ?? 0;
  }

  /** Notes the cursor's line; the first mention counts. */
  #record(path: KeyPath): void {
    for (; this.#lineAt < Math.min(this.#at, this.#text.length); this.#lineAt++) {
      if (this.#text[this.#lineAt] === "\n") this.#line++;
    }
    const key = keyOfPath(path);
    if (!this.#lines.has(key)) this.#lines.set(key, this.#line);
  }
}
