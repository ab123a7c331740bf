import type { SecretPath } from "../domain/secret-path.ts";
import type { WatchableMemory } from "../store/memory.ts";
import type { Stored } from "../store/secret.ts";

// Less than every character of a path. So `path + NEXT` is less than every path after `path`.
const NEXT = "\0";

/** Which of the stored paths a scan finds. */
export interface ScanOptions {
  readonly memory: WatchableMemory;
  /** A text that is not less than `text`, and not greater than the next wanted path; undefined if there is none. */
  readonly atOrAfter: (text: string) => string | undefined;
  readonly withTombstones: boolean;
}

/**
 * Finds the wanted secrets in path order, and then the tombstones, in steps between which the memory can change. It finds
 * everything that does not change during the scan.
 */
export class PathScan {
  readonly #options: ScanOptions;
  #part: "secrets" | "tombstones" | "over" = "secrets";
  #text = "";

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#part === "over";
  }

  /** Makes one search. Returns undefined if it has found nothing, which does not mean that the scan is over. */
  advance(): Stored | undefined {
    const { memory, atOrAfter } = this.#options;
    const from = atOrAfter(this.#text);
    const path = from === undefined ? undefined : this.#first(from);
    if (path === undefined) this.#endPart();
    else if (atOrAfter(path) !== path) this.#text = path;
    else {
      this.#text = path + NEXT;
      return memory.get(path);
    }
    return undefined;
  }

  #first(from: string): SecretPath | undefined {
    const { memory } = this.#options;
    return this.#part === "secrets" ? memory.atOrAfter(from)?.path : memory.tombstoneAtOrAfter(from);
  }

  #endPart(): void {
    this.#part = this.#part === "secrets" && this.#options.withTombstones ? "tombstones" : "over";
    this.#text = "";
  }
}
