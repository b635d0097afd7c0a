/** One challenge of a WWW-Authenticate header (RFC 9110 section 11.6.1). */
export interface AuthChallenge {
  /** In lower case, such as "bearer". */
  readonly scheme: string;
  /** Names in lower case; without a prototype. */
  readonly parameters: Readonly<Record<string, string>>;
}

const tokenCharacters = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(
  `^(${tokenCharacters})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${tokenCharacters}))`,
);
const schemePattern = new RegExp(`^(${tokenCharacters})(?:[ \\t]+|$|(?=,))`);

/** Reads all challenges of a header; what cannot be read ends the list. */
export function parseAuthChallenges(header: string): readonly AuthChallenge[] {
  const challenges: Array<{ scheme: string; parameters: Record<string, string> }> = [];
  let rest = header;
  for (;;) {
    rest = rest.replace(/^[ \t,]+/, "");
    const parameter = parameterPattern.exec(rest);
    const current = challenges.at(-1);
    if (parameter !== null && current !== undefined) {
      const value = parameter[2]?.replace(/\\(.)/g, "$1") ?? parameter[3] ?? "";
      current.parameters[(parameter[1] ?? "").toLowerCase()] ??= value;
      rest = rest.slice(parameter[0].length);
      continue;
    }
    const scheme = schemePattern.exec(rest);
    if (scheme === null) return challenges;
    challenges.push({ scheme: (scheme[1] ?? "").toLowerCase(), parameters: Object.create(null) });
    rest = rest.slice(scheme[0].length);
  }
}
