import {
  type PathState,
  type Recorded,
  type RecordedChange,
  type RecordedRead,
  type Span,
  agrees,
  namedIn,
  stateAfter,
} from "./history.ts";
import { type Answered, type AnsweredDelete, type AnsweredPut, isAnswered, resolveUnanswered } from "./unanswered.ts";

/**
 * Every contradiction between a history and a store that is linearizable: each operation takes effect at one moment
 * between its beginning and its answer. Linearizability is local (Herlihy and Wing 1990, theorem 1), so each path is
 * checked by itself. The search of Wing and Gong is not necessary, because the order of the changes of a path is known:
 * it is that of their revisions. What remains is to find for each read a state that agrees with it, not older than any
 * that was seen by an operation that ended before.
 *
 * In addition, revisions follow the order of time over all paths, which makes the changes strictly serializable.
 */
export function violations(history: readonly Recorded[]): string[] {
  const resolved = resolveUnanswered(history);
  const changes = resolved.filter(isAnswered);
  return [...revisionOrder(changes), ...byPath(resolved).flatMap((events) => new PathCheck(events).violations())];
}

/** A change that was answered before another began has a lower revision, and no two changes have the same. */
function revisionOrder(changes: readonly Answered[]): string[] {
  const found: string[] = [];
  const used = new Set<number>();
  const seen = new Precedence(changes, ({ answer }) => answer.revision);
  for (const change of seen.inOrder) {
    const { revision } = change.answer;
    const before = seen.before(change);
    if (revision <= before) found.push(`${text(change)} began after revision ${before} was answered`);
    if (used.has(revision)) found.push(`${text(change)} has the revision of another change`);
    used.add(revision);
  }
  return found;
}

/** For each event in order of its beginning, the greatest number of an event that ended before it began. */
class Precedence<Event extends Span> {
  readonly inOrder: readonly Event[];
  readonly #byEnd: readonly Event[];
  readonly #numberOf: (event: Event) => number;
  #ended = 0;
  #greatest = 0;

  constructor(events: readonly Event[], numberOf: (event: Event) => number) {
    this.inOrder = events.toSorted((a, b) => a.begin - b.begin);
    this.#byEnd = events.toSorted((a, b) => (a.end === b.end ? 0 : a.end - b.end));
    this.#numberOf = numberOf;
  }

  /** Call it for each event of {@link inOrder}, in this order. */
  before({ begin }: Event): number {
    for (let event = this.#byEnd[this.#ended]; event !== undefined && event.end < begin; ) {
      this.#greatest = Math.max(this.#greatest, this.#numberOf(event));
      event = this.#byEnd[++this.#ended];
    }
    return this.#greatest;
  }
}

/** The check of one path. A state has an index: the number of changes before it. */
class PathCheck {
  readonly #events: readonly Recorded[];
  /** The changes in order of their revisions. The change at index i leads from state i to state i + 1. */
  readonly #changes: readonly Answered[];
  readonly #states: readonly PathState[];
  /** The index of the state after a change, or of the state that a read saw. */
  readonly #indices = new Map<Recorded, number>();
  readonly #found: string[] = [];

  constructor(events: readonly Recorded[]) {
    this.#events = events.filter((event) => event.kind === "read" || event.answer !== undefined);
    this.#changes = events.filter(isAnswered).sort((a, b) => a.answer.revision - b.answer.revision);
    const states: PathState[] = [{ versions: [] }];
    this.#changes.forEach((change, i) => {
      this.#indices.set(change, i + 1);
      states.push(stateAfter(states[i]!, change));
    });
    this.#states = states;
    this.#checkVersions(events.filter((event) => event.kind === "put" && event.answer === undefined).length);
  }

  violations(): string[] {
    const seen = new Precedence(this.#events, (event) => this.#indices.get(event)!);
    for (const event of seen.inOrder) {
      if (event.kind === "read") this.#read(event, seen.before(event));
      else this.#change(event, seen.before(event));
    }
    return this.#found;
  }

  #change(change: RecordedChange, least: number): void {
    if (this.#indices.get(change)! <= least)
      this.#found.push(`${text(change)} began after a state was seen that has it already, or a later change`);
  }

  /** Finds the oldest state that agrees: a newer one would only restrict the operations that follow. */
  #read(read: RecordedRead, least: number): void {
    let index = least;
    while (!agrees(this.#states[index]!, read.seen)) {
      const next = this.#changes[index];
      if (next === undefined || next.begin > read.end) {
        this.#found.push(`${text(read)} disagrees with every state from ${least} to ${index}`);
        index = least;
        break;
      }
      index += 1;
    }
    this.#indices.set(read, index);
  }

  /** A Put adds the next version; only a Put without an answer explains a gap. A Delete marks what is live. */
  #checkVersions(unanswered: number): void {
    let gaps = 0;
    this.#changes.forEach((change, i) => {
      const before = this.#states[i]!;
      if (change.kind === "put") gaps += this.#checkPut(change, before);
      else this.#checkDelete(change, before);
    });
    if (gaps > unanswered) this.#found.push(`${this.#changes[0]!.path} has ${gaps} versions that no Put wrote`);
  }

  #checkPut(put: AnsweredPut, { versions }: PathState): number {
    const gap = put.answer.version - (versions.at(-1)?.version ?? 0) - 1;
    if (gap < 0) this.#found.push(`${text(put)} did not get the next version`);
    return Math.max(0, gap);
  }

  #checkDelete(deletion: AnsweredDelete, before: PathState): void {
    const live = namedIn(before, deletion.named)?.filter(({ deleted }) => deleted === undefined) ?? [];
    const expected = live.map(({ version }) => version).join();
    if (deletion.answer.versions.join() !== expected)
      this.#found.push(`${text(deletion)} should have marked ${expected}`);
  }
}

function text(event: Recorded): string {
  const { kind, path, begin, end, ...rest } = event;
  return `${kind} ${path} [${begin}, ${end}] ${JSON.stringify(rest)}`;
}

function byPath(events: readonly Recorded[]): readonly Recorded[][] {
  const paths = new Map<string, Recorded[]>();
  for (const event of events) {
    const those = paths.get(event.path);
    if (those === undefined) paths.set(event.path, [event]);
    else those.push(event);
  }
  return [...paths.values()];
}
