/**
 * The info map of a verbose answer: JSON text under "info", where containerd has it and crictl looks for it.
 */
export function verboseInfo(facts: object): { readonly info: { readonly info: string } } {
  return { info: { info: JSON.stringify(facts) } };
}
