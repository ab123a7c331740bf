import { MAX_VERSIONS } from "../../src/contract/limits.ts";

/**
 * When an operation began and when it was answered, on one clock for all threads. Without an answer, the end is the moment
 * from which it can no longer take effect.
 */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** What a caller asked for on one secret. The value of a Put is unique. No versions, and version 0, mean the newest. */
export type RecordedOperation =
  | { readonly kind: "put"; readonly path: string; readonly value: string }
  | { readonly kind: "copy"; readonly path: string; readonly source: string; readonly version: number }
  | { readonly kind: StateOperation; readonly path: string; readonly named: readonly number[] }
  | { readonly kind: "purge"; readonly path: string };

/** The operations that change the state of versions. */
export type StateOperation = "delete" | "undelete" | "destroy";

/**
 * Operations on different secrets that took effect together. Without an answer, they may have been applied or not. A
 * call that was refused or changed nothing is recorded as a read, and not as a change.
 */
export interface RecordedChange extends Span {
  readonly kind: "change";
  readonly operations: readonly RecordedOperation[];
  readonly answer: RecordedAnswer | undefined;
}

export interface RecordedAnswer {
  readonly revision: number;
  /** The versions that each operation added or changed; undefined if nothing is known about them. */
  readonly versions: readonly (readonly number[] | undefined)[];
}

/**
 * What a caller learned about secrets as of one moment. A BatchGet is a read of several secrets. A List is a read of
 * each path below its prefix. A refusal is also a read.
 */
export interface RecordedRead extends Span {
  readonly kind: "read";
  readonly facts: readonly Fact[];
}

export interface Fact {
  readonly path: string;
  readonly seen: Seen;
}

export type Recorded = RecordedChange | RecordedRead;

/** What a response says about the state of a secret. */
export type Seen =
  /** It has no version. */
  | { readonly kind: "missing" }
  /** The newest version is live and has this value; or the same for a version that the caller named. */
  | ({ readonly kind: "newest" | "version" } & SeenValue)
  | { readonly kind: `${"newest" | "version"} ${"deleted" | "destroyed"}`; readonly version: number }
  /** The number that the next expected_version has to be. */
  | { readonly kind: "latest"; readonly version: number }
  /** A version is not retained. */
  | { readonly kind: "no version"; readonly version: number }
  /** All retained versions. */
  | { readonly kind: "described"; readonly versions: readonly SeenVersion[] }
  /** The newest version is live and has this number. */
  | { readonly kind: "listed"; readonly version: number }
  /** There is no version, or the newest one is not live. */
  | { readonly kind: "not listed" }
  /** An operation had nothing to do. */
  | { readonly kind: "unchanged"; readonly operation: StateOperation; readonly versions: readonly number[] };

interface SeenValue {
  readonly version: number;
  readonly revision: number;
  readonly value: string;
}

export interface SeenVersion {
  readonly version: number;
  readonly revision: number;
  readonly state: VersionState;
  /** The revision of the deletion or destruction, if the response has it. */
  readonly changed: number | undefined;
}

export type VersionState = "live" | "deleted" | "destroyed";

/** The state of one secret between two changes. */
export interface PathState {
  readonly versions: readonly StateVersion[];
  /** The number of the last version, also after a purge. */
  readonly last: number;
}

interface StateVersion extends SeenVersion {
  readonly value: string;
}

/** The state of a secret that was never written. */
export const UNWRITTEN: PathState = { versions: [], last: 0 };

const STATE_AFTER = { delete: "deleted", undelete: "live", destroy: "destroyed" } as const;

/** The versions that an operation adds or changes in a state; undefined if it would be refused. */
export function effectOf(state: PathState, operation: RecordedOperation): readonly number[] | undefined {
  switch (operation.kind) {
    case "put":
    case "copy":
      return [state.last + 1];
    case "purge":
      return state.versions.length === 0 ? undefined : [state.last];
    default: {
      const named = namedIn(state, operation.named);
      if (operation.kind === "undelete" && named?.some((version) => version.state === "destroyed")) return undefined;
      return named?.filter((version) => isChangedBy(operation.kind, version)).map(({ version }) => version);
    }
  }
}

function isChangedBy(operation: StateOperation, { state }: StateVersion): boolean {
  switch (operation) {
    case "delete":
      return state === "live";
    case "undelete":
      return state === "deleted";
    case "destroy":
      return state !== "destroyed";
  }
}

/** The state after an operation on `versions`. A Put or a Copy adds `value`. */
export function stateAfter(
  state: PathState,
  operation: RecordedOperation,
  { versions, revision, value }: { versions: readonly number[]; revision: number; value: string },
): PathState {
  switch (operation.kind) {
    case "put":
    case "copy": {
      const version = versions[0] ?? Number.NaN;
      const added: StateVersion = { version, revision, value, state: "live", changed: undefined };
      return { versions: [...state.versions, added].slice(-MAX_VERSIONS), last: version };
    }
    case "purge":
      return { ...state, versions: [] };
    default: {
      const after = STATE_AFTER[operation.kind];
      const mark = (one: StateVersion): StateVersion =>
        versions.includes(one.version) ? { ...one, state: after, changed: revision } : one;
      return { ...state, versions: state.versions.map(mark) };
    }
  }
}

/** The value of a version that can be read; 0 is the newest. */
export function valueIn(state: PathState, number: number): string | undefined {
  const version = number === 0 ? state.versions.at(-1) : state.versions.find((one) => one.version === number);
  return isLive(version) ? version.value : undefined;
}

/** Whether a response could have been given in a state. */
export function agrees(state: PathState, seen: Seen): boolean {
  const newest = state.versions.at(-1);
  const named = "version" in seen ? state.versions.find(({ version }) => version === seen.version) : undefined;
  switch (seen.kind) {
    case "missing":
      return newest === undefined;
    case "newest":
      return named === newest && isSeen(named, seen);
    case "version":
      return isSeen(named, seen);
    case "newest deleted":
    case "newest destroyed":
      return named === newest && named?.state === seen.kind.slice("newest ".length);
    case "version deleted":
    case "version destroyed":
      return named?.state === seen.kind.slice("version ".length);
    case "latest":
      return state.last === seen.version;
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
    case "unchanged":
      return effectOf(state, { kind: seen.operation, path: "", named: seen.versions })?.length === 0;
  }
}

/** The versions that a caller names, in a state; undefined if one of them is not retained. */
function namedIn({ versions }: PathState, named: readonly number[]): readonly StateVersion[] | undefined {
  if (named.length === 0) return versions.length === 0 ? undefined : versions.slice(-1);
  const found = versions.filter(({ version }) => named.includes(version));
  return found.length === new Set(named).size ? found : undefined;
}

function isLive(version: StateVersion | undefined): version is StateVersion {
  return version?.state === "live";
}

function isSeen(version: StateVersion | undefined, seen: SeenValue): boolean {
  return isLive(version) && sameVersion(version, seen) && version.value === seen.value;
}

function equal(one: SeenVersion, other: SeenVersion | undefined): boolean {
  if (other === undefined || !sameVersion(one, other) || one.state !== other.state) return false;
  return one.state === "live" || other.changed === undefined || one.changed === other.changed;
}

function sameVersion(
  one: Pick<SeenVersion, "version" | "revision">,
  other: Pick<SeenVersion, "version" | "revision">,
): boolean {
  return one.version === other.version && one.revision === other.revision;
}
