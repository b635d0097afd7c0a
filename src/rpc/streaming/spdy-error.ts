/** What the other side sent breaks SPDY/3.1, or a limit of ours: the connection can't go on. */
export class SpdyError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "SpdyError";
  }
}
