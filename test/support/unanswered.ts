import type { Recorded, RecordedAnswer, RecordedChange, RecordedRead, SeenVersion, Span } from "./history.ts";

export type Answered = RecordedChange & { readonly answer: RecordedAnswer };

export function isAnswered(event: Recorded): event is Answered {
  return event.kind === "change" && event.answer !== undefined;
}

/**
 * Gives changes without an answer the revisions that reads found, such as the reads after a restart. A change that no
 * read found counts as not applied. The `end` of a change without an answer is the moment when the server was killed.
 */
export function resolveUnanswered(history: readonly Recorded[]): readonly Recorded[] {
  const unanswered = history.filter((event) => event.kind === "change" && event.answer === undefined);
  if (unanswered.length === 0) return history;
  const findings = new Findings(history);
  const inOrder = unanswered.sort((a, b) => a.begin - b.begin);
  const found = new Map<Recorded, Recorded>();
  // A value identifies its change, so changes whose values were read come first. The remaining findings belong to other
  // changes.
  for (const change of inOrder) found.set(change, findings.withValue(change as RecordedChange));
  for (const change of inOrder) found.set(change, findings.withoutValue(found.get(change) as RecordedChange));
  return history.map((event) => found.get(event) ?? event);
}

interface Finding {
  readonly version: number;
  readonly revision: number;
}

/** What reads found of changes that were not answered. Each finding belongs to one change. */
class Findings {
  /** The versions that reads found of each path and value: that of the Put, and those of copies to the same path. */
  readonly #values = new Map<string, Finding[]>();
  /** The revisions that already belong to a change. */
  readonly #claimed = new Set<number>();
  /** The reads of each path that returned, for each version that is not live, the revision that changed its state. */
  readonly #complete = new Map<string, (Span & { readonly versions: readonly SeenVersion[] })[]>();

  constructor(history: readonly Recorded[]) {
    for (const { answer } of history.filter(isAnswered)) this.#claimed.add(answer.revision);
    for (const event of history) if (event.kind === "read") this.#take(event);
  }

  /**
   * Finds a change by the values of its Puts that were read. What its other operations did follows from the state before
   * the change. The lowest revision at which the values of its Puts were read is the revision of the change, because copies of a
   * value have later revisions than its Put.
   */
  withValue(change: RecordedChange): RecordedChange {
    const found = change.operations.map((operation) =>
      operation.kind === "put" ? (this.#values.get(valueKey(operation.path, operation.value)) ?? []) : [],
    );
    const revision = Math.min(...found.flat().map((finding) => finding.revision));
    if (revision === Number.POSITIVE_INFINITY) return change;
    this.#claimed.add(revision);
    const put = found.map((findings) => findings.find((finding) => finding.revision === revision));
    return { ...change, answer: { revision, versions: put.map((finding) => finding && [finding.version]) } };
  }

  /**
   * Finds a change by the versions in the first read after the kill: a Put whose version was deleted before its value
   * was read, or a Delete. Other changes are found only by a Put among their operations.
   */
  withoutValue(change: RecordedChange): RecordedChange {
    const [operation, ...others] = change.operations;
    if (change.answer !== undefined || operation === undefined || others.length > 0) return change;
    const reads = this.#complete.get(operation.path) ?? [];
    const versions = reads.find(({ begin }) => begin >= change.end)?.versions ?? [];
    if (operation.kind === "put") return { ...change, answer: this.#put(versions) };
    return operation.kind === "delete" ? { ...change, answer: this.#deletion(operation, versions) } : change;
  }

  #put(versions: readonly SeenVersion[]): RecordedChange["answer"] {
    const found = versions.find(({ revision, state }) => state !== "live" && !this.#claimed.has(revision));
    if (found === undefined) return undefined;
    this.#claimed.add(found.revision);
    return { revision: found.revision, versions: [[found.version]] };
  }

  /** The first deletion that a Delete can have made. */
  #deletion(
    { named }: { readonly named: readonly number[] },
    versions: readonly SeenVersion[],
  ): RecordedChange["answer"] {
    const deleted = versions.filter(({ state }) => state === "deleted");
    const revisions = deleted.flatMap(({ changed }) => (changed === undefined ? [] : [changed]));
    for (const revision of [...new Set(revisions)].sort((a, b) => a - b)) {
      const marked = deleted.filter(({ changed }) => changed === revision).map(({ version }) => version);
      const isPossible = named.length === 0 ? marked.length === 1 : marked.every((version) => named.includes(version));
      if (this.#claimed.has(revision) || !isPossible) continue;
      this.#claimed.add(revision);
      return { revision, versions: [marked] };
    }
    return undefined;
  }

  #take({ facts, begin, end }: RecordedRead): void {
    for (const { path, seen } of facts) {
      if (seen.kind === "newest" || seen.kind === "version") this.#takeValue(path, seen);
      if (seen.kind !== "described" || !seen.versions.every(isComplete)) continue;
      const reads = this.#complete.get(path) ?? [];
      this.#complete.set(path, reads);
      reads.push({ begin, end, versions: seen.versions });
    }
  }

  #takeValue(path: string, { value, version, revision }: Finding & { readonly value: string }): void {
    const key = valueKey(path, value);
    const known = this.#values.get(key) ?? [];
    this.#values.set(key, known);
    if (!known.some((finding) => finding.revision === revision)) known.push({ version, revision });
  }
}

function valueKey(path: string, value: string): string {
  return JSON.stringify([path, value]);
}

function isComplete({ state, changed }: SeenVersion): boolean {
  return state === "live" || changed !== undefined;
}
