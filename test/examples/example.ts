import type { ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** A program of examples/ while it runs. It prints a line after each step. */
export class Example {
  /** The lines that it has printed so far. */
  readonly lines: string[] = [];
  /** Resolves when it has ended, with its exit code, or null after a signal, and its standard error. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
  readonly #child: ChildProcess;
  readonly #progress = new EventEmitter();

  constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      this.lines.push(line);
      this.#progress.emit("change");
    });
    this.ended = Promise.all([text(child.stderr!), once(child, "close")]).then(([stderr]) => ({
      code: child.exitCode,
      stderr,
    }));
    void this.ended.then(() => this.#progress.emit("change"));
  }

  /** The number of lines that begin with `start`. */
  count(start: string): number {
    return this.lines.filter((line) => line.startsWith(start)).length;
  }

  /** Resolves after `more` further lines that begin with `start`. Rejects if the program ends before. */
  async prints(start: string, more = 1): Promise<void> {
    const wanted = this.count(start) + more;
    while (this.count(start) < wanted) await this.#change(`${wanted} lines that begin with "${start}"`);
  }

  /** Resolves when the program has printed this line. Rejects if it ends before. */
  async printed(line: string): Promise<void> {
    while (!this.lines.includes(line)) await this.#change(`the line "${line}"`);
  }

  /** Ends it with SIGTERM. */
  async stop(): Promise<{ readonly code: number | null; readonly stderr: string }> {
    this.#child.kill("SIGTERM");
    return this.ended;
  }

  async #change(wanted: string): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      const { code, stderr } = await this.ended;
      throw new Error(`the example ended with ${code}, without ${wanted}:\n${this.lines.join("\n")}\n${stderr}`);
    }
    await once(this.#progress, "change");
  }
}
