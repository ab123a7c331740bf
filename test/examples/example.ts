import type { ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** A program of examples/ while it runs. It prints a line for each thing that it has done. */
export class Example {
  /** What it printed so far. */
  readonly lines: string[] = [];
  /** Resolves when it has ended: its exit code, or null for a signal, and what it wrote to stderr. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
  readonly #child: ChildProcess;
  readonly #progress = new EventEmitter();

  constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      this.lines.push(line);
      this.#progress.emit("news");
    });
    this.ended = Promise.all([text(child.stderr!), once(child, "close")]).then(([stderr]) => ({
      code: child.exitCode,
      stderr,
    }));
    void this.ended.then(() => this.#progress.emit("news"));
  }

  /** How many lines begin like that. */
  count(start: string): number {
    return this.lines.filter((line) => line.startsWith(start)).length;
  }

  /** Resolves when another `more` lines have begun like that. Rejects when it ends before. */
  async prints(start: string, more = 1): Promise<void> {
    const wanted = this.count(start) + more;
    while (this.count(start) < wanted) await this.#news(`${wanted} lines that begin with "${start}"`);
  }

  /** Resolves when it has printed this line. Rejects when it ends before. */
  async printed(line: string): Promise<void> {
    while (!this.lines.includes(line)) await this.#news(`the line "${line}"`);
  }

  /** Ends it with SIGTERM. */
  async stop(): Promise<{ readonly code: number | null; readonly stderr: string }> {
    this.#child.kill("SIGTERM");
    return this.ended;
  }

  async #news(wanted: string): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      const { code, stderr } = await this.ended;
      throw new Error(`the example ended with ${code}, without ${wanted}:\n${this.lines.join("\n")}\n${stderr}`);
    }
    await once(this.#progress, "news");
  }
}
