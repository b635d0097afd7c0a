/**
 * The secrets that one pull has shown to registries. What a registry says ends up in errors and pod events, and a registry
 * may say what it was told.
 */
export class SecretWords {
  readonly #words = new Set<string>();

  /** @param value a password or token, or an Authorization header that holds one */
  add(value: string): void {
    const [, scheme = "", rest = value] = /^(Basic|Bearer) (.+)$/.exec(value) ?? [];
    this.#remember(rest);
    if (scheme !== "Basic") return;
    const login = Buffer.from(rest, "base64").toString();
    this.#remember(login);
    this.#remember(login.slice(login.indexOf(":") + 1));
  }

  /** The text with "…" in the place of every secret. */
  hide(text: string): string {
    const longestFirst = [...this.#words].sort((a, b) => b.length - a.length);
    return longestFirst.reduce((shown, word) => shown.replaceAll(word, "…"), text);
  }

  #remember(word: string): void {
    if (word === "") return;
    const escaped = JSON.stringify(word).slice(1, -1);
    for (const form of [word, escaped, encodeURIComponent(word.toWellFormed())]) this.#words.add(form);
  }
}
