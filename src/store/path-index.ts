import type { SecretPath } from "../domain/secret-path.ts";
import { SortedChunks } from "./sorted-chunks.ts";

/** Paths in order. */
export class PathIndex {
  readonly #paths = new SortedChunks<SecretPath, string>((path, text) => path < text);

  /** Adds a path that is not in the index. */
  add(path: SecretPath): void {
    this.#paths.add(path, path);
  }

  /** Removes a path that is in the index. */
  remove(path: SecretPath): void {
    if (!this.#paths.remove(path, path)) throw new Error(`${path} is not in the index`);
  }

  /** The number of paths that are not less than `start`, and less than `end`. */
  count(start: string, end: string): number {
    return this.#paths.count(start, end);
  }

  /** The first path that is not less than `start`; undefined if there is none. */
  atOrAfter(start: string): SecretPath | undefined {
    return this.#paths.atOrAfter(start);
  }
}
