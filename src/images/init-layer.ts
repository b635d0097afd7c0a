/** Makes `<root>/init-layer/fs` if missing. @returns its path, the top lower layer of every container */
export function ensureInitLayer(_rootDirectory: string): string {
  throw new Error("not built yet");
}
