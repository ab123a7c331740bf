import { setTimeout as sleep } from "node:timers/promises";
import { contentOf } from "./dump.ts";
import type { Caller, Outcome } from "./server-kit.ts";
import type { Ledger } from "./ledger.ts";

/** Pause of a writer whose call failed, in milliseconds. Without one it would take the CPU from a server that starts. */
const PAUSE_MS = 10;

/** What a writer tells of its calls. */
export interface WriterOptions {
  readonly caller: Caller;
  readonly ledger: Ledger;
  /** The secret that nobody else writes to. */
  readonly path: string;
  /** Called after each call that was answered with OK. */
  readonly onAnswer: () => void;
  /** Called with the code and the reason of each call that was not. */
  readonly onFailure: (what: string) => void;
}

/**
 * A client that follows docs/guarantees.md: each Put has the expected version, each answer is checked by a Get, and the
 * outcome of a Put without an answer is determined before the next one.
 */
export class DiligentWriter {
  /** Answers that no sound server gives. */
  readonly complaints: string[] = [];
  readonly #options: WriterOptions;
  /** The newest version; undefined: a Put had no answer, and either of two may be. */
  #known: number | undefined = 0;
  /** The newest version that was ever seen. */
  #latest = 0;
  #puts = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Writes and reads, one call at a time, until `isOver` and the last Put is known to be there or not. */
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
    if (outcome.code === "ABORTED") this.complaints.push(`${path}: ${expected} was the newest version and is not`);
    if (await this.#failed(outcome)) return;
    this.#learn(outcome.response.version, expected + 1, expected + 1);
    await this.#read();
  }

  /** The newest version is the one that is known; after a Put without an answer it is that of the Put or the one before. */
  async #read(): Promise<void> {
    const { caller, ledger, path } = this.#options;
    const outcome = await caller.get({ path });
    if (outcome.code === "NOT_FOUND" && this.#latest === 0) this.#known = 0;
    else if (!(await this.#failed(outcome))) {
      ledger.witness(path, outcome);
      this.#learn(outcome.response.version, this.#latest, this.#known ?? this.#latest + 1);
    }
  }

  #learn(version: number, least: number, most: number): void {
    if (version < least || version > most)
      this.complaints.push(`${this.#options.path}: version ${version}, not ${least} to ${most}`);
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
