const maxDepth = 64;
const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * What is wrong with a JSON text that a parser would let pass; undefined when nothing is. Looks without recursion, and
 * before the text is parsed: of a text that is no JSON it may say anything.
 */
export function faultOfShape(text: string): string | undefined {
  /** The names seen in each open object; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let atName = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case openObject:
      case openList:
        if (open.length === maxDepth) return `nested deeper than ${maxDepth}`;
        atName = text.charCodeAt(at) === openObject;
        open.push(atName ? new Set() : undefined);
        break;
      case closeObject:
      case closeList:
        open.pop();
        atName = false;
        break;
      case comma:
        atName = open.at(-1) !== undefined;
        break;
      case quote: {
        const end = endOfString(text, at);
        const names = atName ? open.at(-1) : undefined;
        if (names !== undefined) {
          const name = nameOf(text.slice(at + 1, end));
          if (names.has(name)) return `names ${JSON.stringify(name.slice(0, 100))} twice`;
          names.add(name);
        }
        atName = false;
        at = end;
        break;
      }
      default:
    }
  }
  return undefined;
}

/** Where the quote stands that ends a string. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}

/** The same name can be written with and without escapes. */
function nameOf(raw: string): string {
  return raw.includes("\\") ? String(JSON.parse(`"${raw}"`)) : raw;
}
