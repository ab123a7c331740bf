import type {
  Recorded,
  RecordedChange,
  RecordedDelete,
  RecordedPut,
  RecordedRead,
  SeenVersion,
  Span,
} from "./history.ts";

type WithAnswer<Change extends RecordedChange> = Change & { readonly answer: NonNullable<Change["answer"]> };
export type AnsweredPut = WithAnswer<RecordedPut>;
export type AnsweredDelete = WithAnswer<RecordedDelete>;
export type Answered = AnsweredPut | AnsweredDelete;

export function isAnswered(event: Recorded): event is Answered {
  return event.kind !== "read" && event.answer !== undefined;
}

/**
 * Gives changes without an answer the revisions that reads found, such as the reads after a restart. A change that no
 * read found counts as not applied. The `end` of a change without an answer is the moment when the server was killed.
 */
export function resolveUnanswered(history: readonly Recorded[]): readonly Recorded[] {
  const unanswered = history.filter((event) => event.kind !== "read" && event.answer === undefined);
  if (unanswered.length === 0) return history;
  const findings = new Findings(history);
  const inOrder = unanswered.sort((a, b) => a.begin - b.begin);
  const found = new Map<Recorded, Recorded>();
  // A value identifies its Put, so Puts whose values were read come first. The remaining findings belong to other
  // changes.
  for (const change of inOrder) if (change.kind === "put") found.set(change, findings.withValue(change));
  for (const change of inOrder) found.set(change, findings.withoutValue(found.get(change) ?? change));
  return history.map((event) => found.get(event) ?? event);
}

/** What reads found of changes that were not answered. Each finding belongs to one change. */
class Findings {
  readonly #values = new Map<string, { readonly version: number; readonly revision: number }>();
  /** The revisions of changes that are known. */
  readonly #claimed = new Set<number>();
  /** The reads of each path that have the revisions of all changes, in order. */
  readonly #complete = new Map<string, (Span & { readonly versions: readonly SeenVersion[] })[]>();

  constructor(history: readonly Recorded[]) {
    for (const { answer } of history.filter(isAnswered)) this.#claimed.add(answer.revision);
    for (const event of history) if (event.kind === "read") this.#take(event);
  }

  /** A Put whose value was read. */
  withValue(put: RecordedPut): Recorded {
    const answer = this.#values.get(put.value);
    if (answer !== undefined) this.#claimed.add(answer.revision);
    return { ...put, answer };
  }

  /** A Put of a version that was deleted before it was read, or a Delete, as the first read after the kill shows them. */
  withoutValue(change: Recorded): Recorded {
    if (change.kind === "read" || change.answer !== undefined) return change;
    const reads = this.#complete.get(change.path) ?? [];
    const versions = reads.find(({ begin }) => begin >= change.end)?.versions ?? [];
    return change.kind === "put"
      ? { ...change, answer: this.#put(versions) }
      : { ...change, answer: this.#deletion(change, versions) };
  }

  #put(versions: readonly SeenVersion[]): RecordedPut["answer"] {
    const found = versions.find(({ revision, deleted }) => deleted !== undefined && !this.#claimed.has(revision));
    if (found !== undefined) this.#claimed.add(found.revision);
    return found;
  }

  /** The first deletion that a Delete can have made. */
  #deletion({ named }: RecordedDelete, versions: readonly SeenVersion[]): RecordedDelete["answer"] {
    const revisions = versions.flatMap(({ deleted }) => (typeof deleted === "number" ? [deleted] : []));
    for (const revision of [...new Set(revisions)].sort((a, b) => a - b)) {
      const marked = versions.filter(({ deleted }) => deleted === revision).map(({ version }) => version);
      const isPossible = named.length === 0 ? marked.length === 1 : marked.every((version) => named.includes(version));
      if (this.#claimed.has(revision) || !isPossible) continue;
      this.#claimed.add(revision);
      return { versions: marked, revision };
    }
    return undefined;
  }

  #take({ path, seen, begin, end }: RecordedRead): void {
    if (seen.kind === "newest" || seen.kind === "version") this.#values.set(seen.value, seen);
    if (seen.kind !== "described" || seen.versions.some(({ deleted }) => deleted === "at some revision")) return;
    const reads = this.#complete.get(path) ?? [];
    this.#complete.set(path, reads);
    reads.push({ begin, end, versions: seen.versions });
  }
}
