import type { Recorded, RecordedChange, RecordedDelete, RecordedPut, Seen } from "./history.ts";

type WithAnswer<Change extends RecordedChange> = Change & { readonly answer: NonNullable<Change["answer"]> };
export type AnsweredPut = WithAnswer<RecordedPut>;
export type AnsweredDelete = WithAnswer<RecordedDelete>;
export type Answered = AnsweredPut | AnsweredDelete;

export function isAnswered(event: Recorded): event is Answered {
  return event.kind !== "read" && event.answer !== undefined;
}

/**
 * Gives changes without an answer the revisions that reads found, such as those after a restart. What no read found is as
 * if it had never been applied.
 */
export function resolveUnanswered(history: readonly Recorded[]): readonly Recorded[] {
  if (history.every((event) => event.kind === "read" || event.answer !== undefined)) return history;
  const findings = new Findings(history);
  const byValue = history.map((event) =>
    isUnanswered(event, "put") ? { ...event, answer: findings.valueOf(event) } : event,
  );
  return byValue.map((event) => {
    if (isUnanswered(event, "put")) return { ...event, answer: findings.deletedPut(event) };
    return isUnanswered(event, "delete") ? { ...event, answer: findings.deletion(event) } : event;
  });
}

function isUnanswered<Kind extends "put" | "delete">(
  event: Recorded,
  kind: Kind,
): event is RecordedChange & { kind: Kind } {
  return event.kind === kind && event.answer === undefined;
}

/** What reads found of changes that were not answered. Each finding belongs to one change. */
class Findings {
  readonly #values = new Map<string, { readonly version: number; readonly revision: number }>();
  /** By path and then by revision: the version that it created, and the versions that it marked as deleted. */
  readonly #versions = new Map<string, Map<number, number>>();
  readonly #deletions = new Map<string, Map<number, Set<number>>>();

  constructor(history: readonly Recorded[]) {
    for (const event of history) if (event.kind === "read") this.#take(event.path, event.seen);
    for (const { path, answer } of history.filter(isAnswered)) {
      this.#versions.get(path)?.delete(answer.revision);
      this.#deletions.get(path)?.delete(answer.revision);
    }
  }

  /** The version with the value of a Put. */
  valueOf({ path, value }: RecordedPut): RecordedPut["answer"] {
    const found = this.#values.get(value);
    if (found !== undefined) this.#versions.get(path)?.delete(found.revision);
    return found;
  }

  /** A version whose value no read found, because it was deleted at once. */
  deletedPut({ path }: RecordedPut): RecordedPut["answer"] {
    const versions = this.#versions.get(path) ?? new Map<number, number>();
    const [first] = [...versions].sort(([a], [b]) => a - b);
    if (first === undefined) return undefined;
    const [revision, version] = first;
    versions.delete(revision);
    return { version, revision };
  }

  /** The first deletion that a Delete can have made. */
  deletion({ path, named }: RecordedDelete): RecordedDelete["answer"] {
    const deletions = this.#deletions.get(path) ?? new Map<number, Set<number>>();
    for (const [revision, versions] of [...deletions].sort(([a], [b]) => a - b)) {
      const marked = [...versions].sort((a, b) => a - b);
      if (named.length === 0 ? marked.length > 1 : marked.some((version) => !named.includes(version))) continue;
      deletions.delete(revision);
      return { versions: marked, revision };
    }
    return undefined;
  }

  #take(path: string, seen: Seen): void {
    if (seen.kind === "newest" || seen.kind === "version") this.#values.set(seen.value, seen);
    if (seen.kind !== "described") return;
    for (const { version, revision, deleted } of seen.versions) {
      innerMap(this.#versions, path).set(revision, version);
      if (deleted === undefined) continue;
      const marked = innerMap(this.#deletions, path).get(deleted) ?? new Set<number>();
      innerMap(this.#deletions, path).set(deleted, marked.add(version));
    }
  }
}

function innerMap<Value>(maps: Map<string, Map<number, Value>>, path: string): Map<number, Value> {
  const inner = maps.get(path) ?? new Map<number, Value>();
  maps.set(path, inner);
  return inner;
}
