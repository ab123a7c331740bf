import type { Readable, Writable } from "node:stream";
import { CommandFailed } from "./command-failed.ts";

/** The streams of a process. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

/** Resolves when the stream has taken the bytes: only then may the process exit. */
export function write(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/**
 * Asks for a line without showing it. The question goes to standard error, so that standard output stays what a pipe
 * expects. Throws CommandFailed when standard input is no terminal, and on Ctrl-C.
 */
export async function promptSecret(question: string, { stdin, stderr }: Terminal): Promise<Buffer> {
  if (!stdin.isTTY) throw new CommandFailed("usage", "key=? needs a terminal; use key=- to read standard input");
  await write(stderr, question);
  // Raw mode: the terminal neither echoes nor keeps a line that it could show again.
  stdin.setRawMode?.(true);
  try {
    return await readLine(stdin);
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
    await write(stderr, "\n");
  }
}

function readLine(stdin: Readable): Promise<Buffer> {
  const line = new HiddenLine();
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      stdin.off("data", onData).off("end", onEnd);
      outcome();
    };
    const onEnd = (): void => settle(() => resolve(line.take()));
    const onData = (chunk: Buffer): void => {
      const state = line.type(chunk);
      if (state === "done") settle(() => resolve(line.take()));
      if (state === "interrupted") settle(() => reject(new CommandFailed("other", "interrupted")));
    };
    stdin.on("data", onData).on("end", onEnd);
    stdin.resume();
  });
}

/** A line while it is being typed. */
class HiddenLine {
  #bytes: number[] = [];

  /** Takes keys up to the end of the line. What follows in the same chunk was typed blindly, and is dropped. */
  type(chunk: Buffer): "open" | "done" | "interrupted" {
    for (const byte of chunk) {
      if (byte === CTRL_C) return "interrupted";
      if (byte === CARRIAGE_RETURN || byte === LINE_FEED || byte === CTRL_D) return "done";
      if (byte === CTRL_U) this.#bytes = [];
      else if (byte === DELETE || byte === BACKSPACE) this.#eraseCharacter();
      else this.#bytes.push(byte);
    }
    return "open";
  }

  take(): Buffer {
    return Buffer.from(this.#bytes);
  }

  /** Takes back a whole character of UTF-8: its continuation bytes are 10xxxxxx. */
  #eraseCharacter(): void {
    while (((this.#bytes.pop() ?? 0) & 0xc0) === 0x80);
  }
}
