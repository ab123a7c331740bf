import type { Writable } from "node:stream";

/** What was to be read on standard output or standard error could not be written there. */
export class OutputFailed extends Error {
  override readonly name = "OutputFailed";
  /** Whether the reader has left, as `head` does when it has enough. */
  readonly isBrokenPipe: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`can't write the output: ${cause.code === "ENOSPC" ? "there is no room left" : cause.message}`, { cause });
    this.isBrokenPipe = cause.code === "EPIPE";
  }
}

/** Resolves when the stream has taken the bytes: only then may the process exit. Rejects with {@link OutputFailed}. */
export function write(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(new OutputFailed(error)) : resolve()));
  });
}
