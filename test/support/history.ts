/**
 * When an operation began and when it was answered, on one clock for all threads. Without an answer, the end is the moment
 * from which it can no longer take effect.
 */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** A Put of a unique value. Without an answer, it may have been applied or not. A refused Put is not recorded as one. */
export interface RecordedPut extends Span {
  readonly kind: "put";
  readonly path: string;
  readonly value: string;
  readonly answer: { readonly version: number; readonly revision: number } | undefined;
}

/** A Delete that marked versions. Without an answer, it may have marked those that it named; none means the newest. */
export interface RecordedDelete extends Span {
  readonly kind: "delete";
  readonly path: string;
  readonly named: readonly number[];
  readonly answer: { readonly versions: readonly number[]; readonly revision: number } | undefined;
}

/** What a caller learned about one path. A List is a read of each path below its prefix. A refusal is also a read. */
export interface RecordedRead extends Span {
  readonly kind: "read";
  readonly path: string;
  readonly seen: Seen;
}

export type RecordedChange = RecordedPut | RecordedDelete;
export type Recorded = RecordedChange | RecordedRead;

/** What a response says about the state of a secret. */
export type Seen =
  /** No version was ever written. */
  | { readonly kind: "missing" }
  /** The newest version is live and has this value. */
  | { readonly kind: "newest"; readonly version: number; readonly revision: number; readonly value: string }
  | { readonly kind: "newest deleted"; readonly version: number }
  /** The same for a version that the caller named. */
  | { readonly kind: "version"; readonly version: number; readonly revision: number; readonly value: string }
  | { readonly kind: "version deleted"; readonly version: number }
  /** The number of the newest version, in any state. */
  | { readonly kind: "latest"; readonly version: number }
  /** A version is not retained. */
  | { readonly kind: "no version"; readonly version: number }
  /** All retained versions. */
  | { readonly kind: "described"; readonly versions: readonly SeenVersion[] }
  /** The newest version is live and has this number. */
  | { readonly kind: "listed"; readonly version: number }
  /** There is no version, or the newest one is deleted. */
  | { readonly kind: "not listed" }
  /** A Delete had nothing to do: none of these versions is live. None means the newest. */
  | { readonly kind: "none live"; readonly versions: readonly number[] };

export interface SeenVersion {
  readonly version: number;
  readonly revision: number;
  /** The revision of its deletion, if the response has it; undefined if it is live. */
  readonly deleted: number | "at some revision" | undefined;
}

/** The state of one secret between two changes. */
export interface PathState {
  readonly versions: readonly StateVersion[];
}

interface StateVersion extends SeenVersion {
  readonly value: string;
}

/** How many versions are retained. */
const RETAINED = 10;

/** The state after an answered change. */
export function stateAfter(state: PathState, change: RecordedChange): PathState {
  if (change.kind === "put") return stateAfterPut(state, change);
  const { versions = [], revision: deleted = 0 } = change.answer ?? {};
  const marked = (one: StateVersion) => (versions.includes(one.version) ? { ...one, deleted } : one);
  return { versions: state.versions.map(marked) };
}

function stateAfterPut(state: PathState, { value, answer }: RecordedPut): PathState {
  if (answer === undefined) throw new Error("the Put has no revision");
  return { versions: [...state.versions, { ...answer, value, deleted: undefined }].slice(-RETAINED) };
}

/** Whether a response could have been given in a state. */
export function agrees(state: PathState, seen: Seen): boolean {
  const newest = state.versions.at(-1);
  const named = "version" in seen ? state.versions.find(({ version }) => version === seen.version) : undefined;
  switch (seen.kind) {
    case "missing":
      return newest === undefined;
    case "newest":
      return named === newest && isSeen(newest, seen);
    case "newest deleted":
      return named === newest && named?.deleted !== undefined;
    case "version":
      return isSeen(named, seen);
    case "version deleted":
      return named?.deleted !== undefined;
    case "latest":
      return (newest?.version ?? 0) === seen.version;
    case "no version":
      return newest !== undefined && named === undefined;
    case "described":
      return (
        state.versions.length === seen.versions.length && state.versions.every((one, i) => equal(one, seen.versions[i]))
      );
    case "listed":
      return named === newest && isLive(named);
    case "not listed":
      return !isLive(newest);
    case "none live":
      return noneLive(state, seen.versions);
  }
}

/** The versions that a Delete names, in a state; undefined if one of them is not retained. */
export function namedIn({ versions }: PathState, named: readonly number[]): readonly StateVersion[] | undefined {
  if (named.length === 0) return versions.slice(-1);
  const found = versions.filter(({ version }) => named.includes(version));
  return found.length === new Set(named).size ? found : undefined;
}

function noneLive(state: PathState, named: readonly number[]): boolean {
  return state.versions.length > 0 && namedIn(state, named)?.some(isLive) === false;
}

function isLive(version: StateVersion | undefined): version is StateVersion {
  return version !== undefined && version.deleted === undefined;
}

function isSeen(version: StateVersion | undefined, seen: Omit<StateVersion, "deleted">): boolean {
  return isLive(version) && sameVersion(version, seen) && version.value === seen.value;
}

function equal(one: SeenVersion, other: SeenVersion | undefined): boolean {
  if (other === undefined || !sameVersion(one, other)) return false;
  return one.deleted === other.deleted || (one.deleted !== undefined && other.deleted === "at some revision");
}

function sameVersion(
  one: Pick<SeenVersion, "version" | "revision">,
  other: Pick<SeenVersion, "version" | "revision">,
): boolean {
  return one.version === other.version && one.revision === other.revision;
}
