import {
  type PathState,
  type Recorded,
  type RecordedOperation,
  type RecordedRead,
  type Span,
  UNWRITTEN,
  agrees,
  effectOf,
  stateAfter,
  valueIn,
} from "./history.ts";
import { type Answered, isAnswered, resolveUnanswered } from "./unanswered.ts";

/**
 * Every contradiction between a history and a store that is strictly serializable: each change and each read of several
 * secrets takes effect at one moment between its beginning and its answer. The search of Wing and Gong is not necessary,
 * because the order of the changes is known: it is that of their revisions. What remains is to find for each read a state
 * of the store that agrees with it, not older than any that was seen by an operation that ended before.
 */
export function violations(history: readonly Recorded[]): string[] {
  return new HistoryCheck(resolveUnanswered(history)).violations();
}

/** The check of a history. A state has an index: the number of changes before it. */
class HistoryCheck {
  readonly #events: readonly Recorded[];
  /** In order of their revisions. The change at index i leads from state i to state i + 1. */
  readonly #changes: readonly Answered[];
  readonly #timelines = new Map<string, Timeline>();
  /** For each state, the latest beginning of the changes before it. A read that ended earlier can't see the state. */
  readonly #latestBegins: number[] = [Number.NEGATIVE_INFINITY];
  /** The index of the state after a change, or of the state that a read saw. */
  readonly #indices = new Map<Recorded, number>();
  readonly #found: string[] = [];

  constructor(events: readonly Recorded[]) {
    this.#events = events.filter((event) => event.kind === "read" || event.answer !== undefined);
    this.#changes = events.filter(isAnswered).sort((a, b) => a.answer.revision - b.answer.revision);
    this.#changes.forEach((change, i) => void this.#apply(change, i + 1));
    this.#checkGaps(events.filter((event) => event.kind === "change" && event.answer === undefined));
  }

  violations(): string[] {
    const seen = new Precedence(this.#events, (event) => this.#indices.get(event)!);
    for (const event of seen.inOrder) {
      if (event.kind === "read") this.#read(event, seen.before(event));
      else this.#change(event, seen.before(event));
    }
    return this.#found;
  }

  #change(change: Recorded, least: number): void {
    if (this.#indices.get(change)! <= least)
      this.#found.push(`${text(change)} began after a call had seen the effect of this change or of a later one`);
  }

  /** Finds the oldest state that agrees: a newer one would only restrict the operations that follow. */
  #read(read: RecordedRead, least: number): void {
    const facts = read.facts.map(({ path, seen }) => ({ seen, timeline: this.#timeline(path) }));
    let index = least;
    while (!facts.every(({ timeline, seen }) => agrees(timeline.at(index), seen))) {
      const next = Math.min(...facts.map(({ timeline }) => timeline.nextAfter(index)));
      if (next === Number.POSITIVE_INFINITY || this.#latestBegins[next]! > read.end) {
        this.#found.push(`${text(read)} disagrees with every state from ${least} to ${index}`);
        index = least;
        break;
      }
      index = next;
    }
    this.#indices.set(read, index);
  }

  #apply(change: Answered, index: number): void {
    const { revision, versions } = change.answer;
    if (this.#changes[index - 2]?.answer.revision === revision)
      this.#found.push(`${text(change)} has the revision of another change`);
    this.#indices.set(change, index);
    this.#latestBegins.push(Math.max(this.#latestBegins[index - 1]!, change.begin));
    change.operations.forEach((operation, i) => {
      const timeline = this.#timeline(operation.path);
      const before = timeline.last;
      const expected = effectOf(before, operation) ?? [];
      const changed = versions[i] ?? expected;
      this.#checkEffect(change, operation, { before, changed, expected });
      const value = this.#valueOf(operation);
      timeline.add(index, stateAfter(before, operation, { versions: changed, revision, value }));
    });
  }

  #valueOf(operation: RecordedOperation): string {
    if (operation.kind === "put") return operation.value;
    if (operation.kind !== "copy") return "";
    return valueIn(this.#timeline(operation.source).last, operation.version) ?? "a copy of what can't be read";
  }

  /** A Put adds the next version; a Put without an answer, of which nothing is known, can explain a gap. */
  #checkEffect(
    change: Answered,
    { kind, path }: RecordedOperation,
    { before, changed, expected }: { before: PathState; changed: readonly number[]; expected: readonly number[] },
  ): void {
    const adds = kind === "put" || kind === "copy";
    const gap = adds ? changed[0]! - before.last - 1 : 0;
    if (gap < 0) this.#found.push(`${text(change)} did not get the next version of ${path}`);
    if (gap > 0) this.#timeline(path).gaps += gap;
    if (!adds && changed.join() !== expected.join())
      this.#found.push(`${text(change)} should have changed ${expected.join() || "nothing"} of ${path}`);
  }

  #checkGaps(unanswered: readonly Recorded[]): void {
    const explained = unanswered.flatMap((event) => (event.kind === "change" ? event.operations : []));
    for (const [path, { gaps }] of this.#timelines) {
      const puts = explained.filter((one) => one.path === path && (one.kind === "put" || one.kind === "copy")).length;
      if (gaps > puts) this.#found.push(`${path} has ${gaps} versions that no Put wrote`);
    }
  }

  #timeline(path: string): Timeline {
    const known = this.#timelines.get(path) ?? new Timeline();
    this.#timelines.set(path, known);
    return known;
  }
}

/** The states of one secret, by the index of the store's state. */
class Timeline {
  readonly #indices: number[] = [0];
  readonly #states: PathState[] = [UNWRITTEN];
  /** How many version numbers were left out. */
  gaps = 0;

  get last(): PathState {
    return this.#states.at(-1)!;
  }

  add(index: number, state: PathState): void {
    this.#indices.push(index);
    this.#states.push(state);
  }

  /** The state of the secret in a state of the store. */
  at(index: number): PathState {
    return this.#states[this.#positionAfter(index) - 1]!;
  }

  /** The next state of the store in which the secret has changed; infinity if there is none. */
  nextAfter(index: number): number {
    return this.#indices[this.#positionAfter(index)] ?? Number.POSITIVE_INFINITY;
  }

  /** The position of the first state with a greater index. */
  #positionAfter(index: number): number {
    let [low, high] = [0, this.#indices.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#indices[middle]! <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
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

function text(event: Recorded): string {
  const { kind, begin, end, ...rest } = event;
  return `${kind} [${begin}, ${end}] ${JSON.stringify(rest)}`;
}
