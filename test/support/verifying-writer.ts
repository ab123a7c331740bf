import { setTimeout as sleep } from "node:timers/promises";
import { contentOf } from "./dump.ts";
import type { Caller, Outcome } from "./server-kit.ts";
import type { Ledger } from "./ledger.ts";

/**
 * How long a writer waits after a failed call, in milliseconds. Without the pause, its retries would slow the start of
 * the server.
 */
const PAUSE_MS = 10;

/** The options of a writer. */
export interface WriterOptions {
  readonly caller: Caller;
  readonly ledger: Ledger;
  /** The secret, which no other writer changes. */
  readonly path: string;
  /** Called after each successful call. */
  readonly onAnswer: () => void;
  /** Called with the code and the reason of each failed call. */
  readonly onFailure: (what: string) => void;
}

/**
 * A client that follows docs/guarantees.md: each Put has the expected version, each response is checked with a Get, and
 * the outcome of a Put without a response is determined before the next one.
 */
export class VerifyingWriter {
  /** Responses that a correct server never sends. */
  readonly complaints: string[] = [];
  readonly #options: WriterOptions;
  /** The latest version; undefined after a Put without a response, which may have been applied. */
  #known: number | undefined = 0;
  /** The highest version that was ever seen. */
  #latest = 0;
  #puts = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Writes and reads, one call at a time, until `isOver` returns true and the outcome of the last Put is known. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver() || this.#known === undefined) {
      if (this.#known === undefined) await this.#read();
      else await this.#put(this.#known);
    }
  }

  async #put(expected: number): Promise<void> {
    const { caller, ledger, path } = this.#options;
    const value = `${path} ${++this.#puts}`;
    this.#known = undefined;
    const request = { path, ...contentOf(value), expected_version: expected };
    const outcome = await ledger.record({ kind: "put", path, value }, () => caller.put(request));
    if (outcome.code === "ABORTED")
      this.complaints.push(`${path}: VERSION_MISMATCH, although ${expected} is the latest version`);
    if (await this.#failed(outcome)) return;
    this.#learn(outcome.response.version, expected + 1, expected + 1);
    await this.#read();
  }

  /** Checks the latest version: the known one or, after a Put without a response, its version or the one before. */
  async #read(): Promise<void> {
    const { caller, ledger, path } = this.#options;
    const outcome = await caller.get({ path });
    if (outcome.code === "NOT_FOUND" && this.#latest === 0) this.#known = 0;
    else if (!(await this.#failed(outcome))) {
      ledger.recordRead(path, outcome);
      this.#learn(outcome.response.version, this.#latest, this.#known ?? this.#latest + 1);
    }
  }

  #learn(version: number, least: number, most: number): void {
    if (version < least || version > most)
      this.complaints.push(`${this.#options.path}: version ${version}, expected ${least} to ${most}`);
    this.#latest = version;
    this.#known = version;
  }

  async #failed({ code, reason }: Outcome): Promise<boolean> {
    if (code === "OK") {
      this.#options.onAnswer();
      return false;
    }
    this.#options.onFailure(reason === undefined ? code : `${code} ${reason}`);
    await sleep(PAUSE_MS);
    return true;
  }
}
