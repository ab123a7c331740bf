import type { Readable, Writable } from "node:stream";
import { CommandFailed } from "./command-failed.ts";
import { write } from "./output.ts";
import { endedBy } from "./run/signal-relay.ts";

/** The standard streams of a process. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/**
 * Prompts for a new secret twice, without echo: the user does not see a typing error, so the second answer detects it.
 * An empty answer is not asked for again. The prompts go to standard error, because standard output may be a pipe.
 * Throws CommandFailed when standard input is not a terminal or the answers differ, and the ExitStatus of SIGINT on
 * Ctrl-C.
 */
export async function promptNewSecret(name: string, { stdin, stderr }: Terminal): Promise<Buffer> {
  if (!stdin.isTTY) throw new CommandFailed("usage", "key=? needs a terminal; use key=- to read standard input");
  // In raw mode the terminal neither echoes nor keeps a line that it could show again. It is set before the first
  // prompt, because the terminal would echo anything that is typed before.
  stdin.setRawMode?.(true);
  try {
    const first = await ask(`${name}: `, stdin, stderr);
    if (first.length === 0 || first.equals(await ask(`${name}, again: `, stdin, stderr))) return first;
  } finally {
    stdin.setRawMode?.(false);
  }
  throw new CommandFailed("usage", `the two values for ${name} differ; nothing was changed`);
}

async function ask(question: string, stdin: Readable, stderr: Writable): Promise<Buffer> {
  await write(stderr, question);
  try {
    return await readLine(stdin);
  } finally {
    await write(stderr, "\n");
  }
}

function readLine(stdin: Readable): Promise<Buffer> {
  const line = new HiddenLine();
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      // Paused, because input that arrives without a listener would be lost, and the next answer would be incomplete.
      stdin.off("data", onData).off("end", onEnd).pause();
      outcome();
    };
    const onEnd = (): void => settle(() => resolve(line.take()));
    const onData = (chunk: Buffer): void => {
      const state = line.type(chunk);
      if (state === "done") settle(() => resolve(line.take()));
      if (state === "interrupted") settle(() => reject(endedBy("SIGINT", "interrupted; nothing was changed")));
    };
    stdin.on("data", onData).on("end", onEnd);
    stdin.resume();
  });
}

/** A line that is being typed, without echo. */
class HiddenLine {
  #bytes: number[] = [];

  /** Takes bytes up to the end of the line. The rest of the chunk was typed before the next prompt, and is dropped. */
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

  /** Removes a whole character of UTF-8: its continuation bytes are 10xxxxxx. */
  #eraseCharacter(): void {
    while (((this.#bytes.pop() ?? 0) & 0xc0) === 0x80);
  }
}
