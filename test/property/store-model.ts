/** The number of retained versions of a secret. */
const RETAINED = 10;

/** The deletion of a version; undefined if it is live. */
type Deletion = { readonly time: number; readonly by: string; readonly revision: number } | undefined;

/** One version of the model. */
export interface ModelVersion {
  readonly number: number;
  readonly value: string;
  readonly revision: number;
  readonly time: number;
  readonly author: string;
  deletion: Deletion;
}

/** A change that a caller requests. Paths and values are plain strings. `expected` is expected_version. */
export type ChangeRequest =
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

/** The result of a request: the reason of its refusal, a new version, or the deleted versions. */
export type ModelResult =
  | { readonly refused: string }
  | { readonly version: number; readonly pruned: readonly number[] }
  | { readonly versions: readonly number[] };

/**
 * A second implementation of the store's contract, with arrays and loops, without groups, sealing, drafts and journals.
 */
export class StoreModel {
  readonly secrets = new Map<string, ModelVersion[]>();
  /** The revision and the time of the latest change. */
  revision = 0;
  lastTime = 0;

  /** Returns what the request would result in now, without applying it. */
  resultOf(request: ChangeRequest): ModelResult {
    const versions = this.secrets.get(request.path) ?? [];
    const latest = versions.at(-1)?.number ?? 0;
    if (request.kind === "delete" && latest === 0) return { refused: "SECRET_NOT_FOUND" };
    if (request.expected !== undefined && request.expected !== latest) return { refused: "VERSION_MISMATCH" };
    if (request.kind === "put") {
      const surplus = Math.max(0, versions.length + 1 - RETAINED);
      return { version: latest + 1, pruned: versions.slice(0, surplus).map(({ number }) => number) };
    }
    const named = request.versions.length === 0 ? [latest] : request.versions;
    for (const number of named) {
      if (!versions.some((version) => version.number === number)) return { refused: "VERSION_NOT_FOUND" };
    }
    const live = versions.filter((version) => named.includes(version.number) && version.deletion === undefined);
    return { versions: live.map(({ number }) => number) };
  }

  /** Applies a request with a revision and a time. */
  apply(request: ChangeRequest, revision: number, time: number): ModelResult {
    const result = this.resultOf(request);
    if ("refused" in result) return result;
    const versions = this.secrets.get(request.path) ?? [];
    if (request.kind === "put" && "version" in result) {
      const added = { number: result.version, value: request.value, revision, time, author: request.author };
      const retained = versions.filter(({ number }) => !result.pruned.includes(number));
      this.secrets.set(request.path, [...retained, { ...added, deletion: undefined }]);
    }
    if ("versions" in result) {
      for (const version of versions) {
        if (result.versions.includes(version.number)) version.deletion = { time, by: request.author, revision };
      }
    }
    if (changesNothing(result)) return result;
    this.revision = revision;
    this.lastTime = time;
    return result;
  }

  /** The revision of the last change of a secret. */
  lastRevision(path: string): number {
    const versions = this.secrets.get(path) ?? [];
    return Math.max(...versions.flatMap(({ revision, deletion }) => [revision, deletion?.revision ?? 0]));
  }
}

/** Whether an accepted request changes nothing, as a repeated Delete does. */
export function changesNothing(result: ModelResult): boolean {
  return "versions" in result && result.versions.length === 0;
}
