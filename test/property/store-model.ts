/** How many versions of a secret are retained. */
const RETAINED = 10;

/** What became of a version: undefined while it is live. */
type Deletion = { readonly time: number; readonly by: string; readonly revision: number } | undefined;

/** One version, as plain as can be. */
export interface ModelVersion {
  readonly number: number;
  readonly value: string;
  readonly revision: number;
  readonly time: number;
  readonly author: string;
  deletion: Deletion;
}

/** A change that somebody asks for. Paths and values are plain strings; `expected` is expected_version. */
export type Wish =
  | {
      readonly kind: "put";
      readonly path: string;
      readonly value: string;
      readonly author: string;
      readonly expected: number | undefined;
    }
  | {
      readonly kind: "delete";
      readonly path: string;
      readonly versions: readonly number[];
      readonly author: string;
      readonly expected: number | undefined;
    };

/** What a wish comes to: the reason of a refusal, a new version, or the versions that were deleted. */
export type Verdict =
  | { readonly refused: string }
  | { readonly version: number; readonly pruned: readonly number[] }
  | { readonly versions: readonly number[] };

/**
 * The store as its contract describes it, written a second time with arrays and loops and without any idea of groups,
 * sealing, drafts or journals.
 */
export class StoreModel {
  readonly secrets = new Map<string, ModelVersion[]>();
  /** The revision and the time of the latest change. */
  revision = 0;
  lastTime = 0;

  /** What the wish would come to now. Changes nothing. */
  judge(wish: Wish): Verdict {
    const versions = this.secrets.get(wish.path) ?? [];
    const latest = versions.at(-1)?.number ?? 0;
    if (wish.kind === "delete" && latest === 0) return { refused: "SECRET_NOT_FOUND" };
    if (wish.expected !== undefined && wish.expected !== latest) return { refused: "VERSION_MISMATCH" };
    if (wish.kind === "put") {
      const surplus = Math.max(0, versions.length + 1 - RETAINED);
      return { version: latest + 1, pruned: versions.slice(0, surplus).map(({ number }) => number) };
    }
    const named = wish.versions.length === 0 ? [latest] : wish.versions;
    for (const number of named) {
      if (!versions.some((version) => version.number === number)) return { refused: "VERSION_NOT_FOUND" };
    }
    const live = versions.filter((version) => named.includes(version.number) && version.deletion === undefined);
    return { versions: live.map(({ number }) => number) };
  }

  /** Does what {@link judge} says, as of a revision and a time. */
  apply(wish: Wish, revision: number, time: number): Verdict {
    const verdict = this.judge(wish);
    if ("refused" in verdict) return verdict;
    const versions = this.secrets.get(wish.path) ?? [];
    if (wish.kind === "put" && "version" in verdict) {
      const added = { number: verdict.version, value: wish.value, revision, time, author: wish.author };
      const retained = versions.filter(({ number }) => !verdict.pruned.includes(number));
      this.secrets.set(wish.path, [...retained, { ...added, deletion: undefined }]);
    }
    if ("versions" in verdict) {
      for (const version of versions) {
        if (verdict.versions.includes(version.number)) version.deletion = { time, by: wish.author, revision };
      }
    }
    if (isIdle(verdict)) return verdict;
    this.revision = revision;
    this.lastTime = time;
    return verdict;
  }

  /** The revision of the last change of a secret. */
  lastRevision(path: string): number {
    const versions = this.secrets.get(path) ?? [];
    return Math.max(...versions.flatMap(({ revision, deletion }) => [revision, deletion?.revision ?? 0]));
  }
}

/** Whether an accepted wish changes nothing, as a repeated Delete does. */
export function isIdle(verdict: Verdict): boolean {
  return "versions" in verdict && verdict.versions.length === 0;
}
