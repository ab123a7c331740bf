import type { SecretPath } from "../domain/secret-path.ts";
import { type Position, compare } from "./position.ts";

/** Something to send: the newest state of a secret, or that it is no longer visible. */
export interface Candidate extends Position {
  readonly path: SecretPath;
  readonly isRevoked: boolean;
}

/** The first candidates in order, at most `size` of them, of any number that are added in any order. */
export class FirstCandidates {
  readonly #size: number;
  #found: Candidate[] = [];
  #hasDropped = false;

  constructor(size: number) {
    this.#size = size;
  }

  /** Whether a candidate was left out. */
  get hasDropped(): boolean {
    return this.#hasDropped;
  }

  add(candidate: Candidate): void {
    this.#found.push(candidate);
    // Sorting twice the size costs less for each candidate than keeping the order at each addition.
    if (this.#found.length >= 2 * this.#size) this.#cut();
  }

  /** The candidates in order. */
  sorted(): readonly Candidate[] {
    this.#cut();
    return this.#found;
  }

  #cut(): void {
    this.#found.sort(compare);
    if (this.#found.length <= this.#size) return;
    this.#found.length = this.#size;
    this.#hasDropped = true;
  }
}
