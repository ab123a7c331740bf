import type { SecretPath } from "../domain/secret-path.ts";
import type { Change } from "../store/change.ts";
import type { CommittedEntry } from "../store/journal.ts";

/** A place in shared memory: a chunk by its number, and the offset of the first byte. */
export interface Location {
  readonly chunk: number;
  readonly at: number;
  readonly length: number;
}

/** The location of a content whose version a later change of the same publication has pruned. It is never read. */
export const PRUNED = -1;

/**
 * Committed entries as columns. A structured clone copies a list of strings and one typed array in a small part of the
 * time that it takes for an object of each change: a store of a million secrets is sent to every front when it is loaded.
 */
export interface Batch {
  /**
   * The distinct authors, then the path of each change. They are separate strings: V8 makes the parts of a split string
   * refer to the whole one, so each path in a front's memory would retain all paths of its batch.
   */
  readonly texts: readonly string[];
  /**
   * The number of authors; then for each entry its revision and the number of its changes; for each change PUT or DELETE,
   * its time, the index of its author, and what {@link BatchWriter} writes for its kind.
   */
  readonly numbers: Float64Array;
}

const PUT = 0;
const DELETE = 1;

/** Encodes entries whose contents are in shared memory. */
export function encodeBatch(entries: readonly CommittedEntry<Location>[]): Batch {
  const writer = new BatchWriter();
  for (const entry of entries) writer.add(entry);
  return writer.end();
}

/** Decodes a batch. The revisions of {@link VersionRef} are left out, since only the journal uses them. */
export function decodeBatch(batch: Batch): CommittedEntry<Location>[] {
  return new BatchReader(batch).entries();
}

class BatchWriter {
  readonly #authors = new Map<string, number>();
  readonly #paths: string[] = [];
  readonly #numbers: number[] = [];

  add({ revision, changes }: CommittedEntry<Location>): void {
    this.#numbers.push(revision, changes.length);
    for (const change of changes) this.#change(change);
  }

  end(): Batch {
    const texts = [...this.#authors.keys(), ...this.#paths];
    return { texts, numbers: Float64Array.from([this.#authors.size, ...this.#numbers]) };
  }

  #change(change: Change<Location>): void {
    this.#paths.push(change.path);
    this.#numbers.push(change.kind === "put" ? PUT : DELETE, change.time, this.#author(change.author));
    if (change.kind === "put") {
      const { chunk, at, length } = change.sealed;
      this.#numbers.push(change.version, chunk, at, length);
    }
    const versions = change.kind === "put" ? change.pruned : change.versions;
    this.#numbers.push(versions.length);
    for (const { version } of versions) this.#numbers.push(version);
  }

  #author(name: string): number {
    const known = this.#authors.get(name);
    if (known !== undefined) return known;
    const index = this.#authors.size;
    this.#authors.set(name, index);
    return index;
  }
}

class BatchReader {
  readonly #texts: readonly string[];
  readonly #numbers: Float64Array;
  #path: number;
  #at = 0;

  constructor({ texts, numbers }: Batch) {
    this.#texts = texts;
    this.#numbers = numbers;
    this.#path = this.#number();
  }

  entries(): CommittedEntry<Location>[] {
    const entries: CommittedEntry<Location>[] = [];
    while (this.#at < this.#numbers.length) {
      const revision = this.#number();
      entries.push({ revision, changes: this.#list(() => this.#change()) });
    }
    return entries;
  }

  #change(): Change<Location> {
    const kind = this.#number();
    const time = this.#number();
    const common = { time, author: this.#text(this.#number()), path: this.#text(this.#path++) as SecretPath };
    if (kind === DELETE) return { kind: "delete", ...common, versions: this.#versions() };
    const version = this.#number();
    const sealed = { chunk: this.#number(), at: this.#number(), length: this.#number() };
    return { kind: "put", ...common, version, sealed, pruned: this.#versions() };
  }

  #versions(): { readonly version: number; readonly revision: undefined }[] {
    return this.#list(() => ({ version: this.#number(), revision: undefined }));
  }

  #list<T>(element: () => T): T[] {
    return Array.from({ length: this.#number() }, element);
  }

  #number(): number {
    const number = this.#numbers[this.#at++];
    if (number === undefined) throw new RangeError("the batch is shorter than its changes");
    return number;
  }

  #text(index: number): string {
    const text = this.#texts[index];
    if (text === undefined) throw new RangeError("the batch has fewer texts than its changes");
    return text;
  }
}
