import type { Writable } from "node:stream";

/** Writing to standard output or standard error failed. */
export class OutputFailed extends Error {
  override readonly name = "OutputFailed";
  /** Whether the reader has closed the pipe, as `head` does after enough lines. */
  readonly isBrokenPipe: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`can't write the output: ${cause.code === "ENOSPC" ? "no space left on the disk" : cause.message}`, {
      cause,
    });
    this.isBrokenPipe = cause.code === "EPIPE";
  }
}

/** Resolves when the bytes are written; the process must not exit before. Rejects with {@link OutputFailed}. */
export function write(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(new OutputFailed(error)) : resolve()));
  });
}
