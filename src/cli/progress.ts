import type { Writable } from "node:stream";
import type { Timers } from "../domain/timers.ts";

/** Where progress is shown: standard error. */
export type ProgressOutput = Writable & { readonly isTTY?: boolean };

// Milliseconds. A call that takes less is not worth a message.
const FIRST_MS = 1000;
const NEXT_MS = 250;

/**
 * Shows, on a terminal, what the command waits for, as soon as `work` has taken a second. `text` is called for each
 * update, with the number of whole seconds. The line is removed when `work` ends. Without a terminal, shows nothing.
 */
export async function withProgress<Result>(
  text: (seconds: number) => string,
  { output, timers }: { readonly output: ProgressOutput; readonly timers: Timers },
  work: () => Promise<Result>,
): Promise<Result> {
  if (!output.isTTY) return work();
  const line = new ProgressLine(output);
  const start = timers.elapsed();
  let cancel = timers.delay(FIRST_MS, show);
  function show(): void {
    line.show(text(Math.floor((timers.elapsed() - start) / 1000)));
    cancel = timers.delay(NEXT_MS, show);
  }
  try {
    return await work();
  } finally {
    cancel();
    line.remove();
  }
}

/** A line that is overwritten by the next one. */
class ProgressLine {
  readonly #output: ProgressOutput;
  #shown = "";

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  show(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#output.write(`${TO_LINE_START}${text}`);
  }

  remove(): void {
    if (this.#shown !== "") this.#output.write(TO_LINE_START);
  }
}

/** Moves to the beginning of the line, and erases it (ECMA-48, EL). */
const TO_LINE_START = "\r\u001b[K";
