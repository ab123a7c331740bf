import { type Dump, type DumpedVersion, milliseconds, storedValue } from "./dump.ts";
import type { Outcome } from "./server-kit.ts";

/** How many versions a server retains. */
const RETAINED = 10;

/** Errors that guarantee that nothing was applied. After any other error the outcome is unknown. */
const NOT_APPLIED = new Set([
  "VERSION_MISMATCH",
  "SECRET_NOT_FOUND",
  "VERSION_NOT_FOUND",
  "SHUTTING_DOWN",
  "DISK_FULL",
  "QUEUE_FULL",
]);

/** A Put with a unique value. */
export interface PutIntent {
  readonly kind: "put";
  readonly path: string;
  readonly value: string;
}

/** A Delete. An empty list of versions means the latest version. */
export interface DeleteIntent {
  readonly kind: "delete";
  readonly path: string;
  readonly versions: readonly number[];
}

export type Intent = PutIntent | DeleteIntent;

/** The server's response to an intent. */
export type Result =
  | { readonly kind: "pending" }
  | { readonly kind: "put"; readonly version: number; readonly revision: number; readonly createTime: number }
  | { readonly kind: "deleted"; readonly versions: readonly number[]; readonly revision: number }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown" };

interface Entry<I extends Intent = Intent> {
  readonly intent: I;
  result: Result;
}

/**
 * Records the requests to a store and the responses, over any number of crashes, and checks the content against them:
 * no acknowledged change is lost, no change is present that was not requested, and no change is rolled back.
 */
export class Ledger {
  readonly #puts: Entry<PutIntent>[] = [];
  readonly #deletes: Entry<DeleteIntent>[] = [];
  /** The results of Gets. A reader relies on them as the writer relies on an acknowledgement. */
  readonly #reads: Entry<PutIntent>[] = [];
  /** Every version of any dump, by path and number. */
  readonly #seen = new Map<string, DumpedVersion>();
  readonly #complaints: string[] = [];
  #inFlight = 0;
  /** The highest known revision. */
  #revision = 0;
  /** The highest known revision when the server started. Each later acknowledgement has a higher one. */
  #revisionAtStart = 0;

  /** Calls without a response so far. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The number of intents with this outcome. */
  count(kind: Result["kind"]): number {
    return [...this.#puts, ...this.#deletes].filter(({ result }) => result.kind === kind).length;
  }

  get acknowledged(): number {
    return this.count("put") + this.count("deleted");
  }

  /** Records an intent before its call is made, and its outcome when the response arrives. */
  async record(intent: Intent, call: () => Promise<Outcome>): Promise<Outcome> {
    const entry = { intent, result: { kind: "pending" } as Result };
    if (intent.kind === "put") this.#puts.push(entry as Entry<PutIntent>);
    else this.#deletes.push(entry as Entry<DeleteIntent>);
    this.#inFlight += 1;
    const outcome = await call();
    this.#inFlight -= 1;
    entry.result = resultOf(intent, outcome);
    this.#checkRevision(entry);
    return outcome;
  }

  /** Records the response to a Get of the latest version of a path. */
  recordRead(path: string, { response }: Outcome): void {
    const intent: PutIntent = { kind: "put", path, value: storedValue(response) };
    this.#reads.push({ intent, result: putResult(response) });
  }

  /** Returns every contradiction between the ledger and a store that has just started. */
  check(dump: Dump): string[] {
    const complaints = [
      ...this.#complaints.splice(0),
      ...[...this.#puts, ...this.#reads].flatMap((put) => lostPut(put, dump)),
      ...this.#deletes.flatMap((deletion) => lostDelete(deletion, dump)),
      ...this.#unrequested(dump),
      ...[...dump.secrets].flatMap(([path, versions]) => [
        ...inconsistentVersions(path, versions),
        ...this.#changedVersions(path, versions),
      ]),
    ];
    this.#remember(dump);
    return complaints;
  }

  /**
   * Checks that the revision of a response is higher than all that were known when the server started. The exception is
   * a Delete without effect.
   */
  #checkRevision({ intent, result }: Entry): void {
    if (result.kind !== "put" && result.kind !== "deleted") return;
    this.#revision = Math.max(this.#revision, result.revision);
    if (result.kind === "deleted" && result.versions.length === 0) return;
    if (result.revision <= this.#revisionAtStart) {
      this.#complaints.push(
        `${intent.kind} ${intent.path}: revision ${result.revision} after ${this.#revisionAtStart}`,
      );
    }
  }

  #unrequested({ secrets }: Dump): string[] {
    const intents = new Map(this.#puts.map((put) => [put.intent.value, put]));
    const found = new Set<string>();
    return [...secrets].flatMap(([path, versions]) =>
      versions.flatMap(({ version, value, deleted }) => {
        const at = `version ${version} of ${path}`;
        if (deleted !== undefined)
          return this.#mayBeDeleted(path, version) ? [] : [`${at} was deleted without a request`];
        const put = intents.get(value!);
        if (put === undefined || put.intent.path !== path) return [`${at} has a value that no Put wrote`];
        if (put.result.kind === "refused") return [`${at} has the value of a refused Put`];
        if (found.has(value!)) return [`${at} has a value that occurs twice`];
        found.add(value!);
        return [];
      }),
    );
  }

  #mayBeDeleted(path: string, version: number): boolean {
    return this.#deletes.some(({ intent, result }) => {
      if (intent.path !== path) return false;
      if (result.kind === "deleted") return result.versions.includes(version);
      return result.kind === "unknown" && (intent.versions.length === 0 || intent.versions.includes(version));
    });
  }

  #changedVersions(path: string, versions: readonly DumpedVersion[]): string[] {
    return versions.flatMap((now) => {
      const before = this.#seen.get(`${path}@${now.version}`);
      if (before === undefined) return [];
      const same =
        before.revision === now.revision && before.createTime === now.createTime && before.createdBy === now.createdBy;
      const at = `version ${now.version} of ${path}`;
      if (!same) return [`${at} differs from before`];
      if (before.deleted !== undefined && now.deleted === undefined) return [`${at} is live again after its deletion`];
      if (now.value !== undefined && now.value !== before.value) return [`${at} has a different value than before`];
      return [];
    });
  }

  #remember({ secrets }: Dump): void {
    for (const [path, versions] of secrets) {
      for (const version of versions) {
        this.#seen.set(`${path}@${version.version}`, version);
        this.#revision = Math.max(this.#revision, version.revision);
      }
    }
    this.#revisionAtStart = this.#revision;
  }
}

function resultOf(intent: Intent, { code, reason, response }: Outcome): Result {
  if (code !== "OK") return { kind: NOT_APPLIED.has(reason ?? "") ? "refused" : "unknown" };
  if (intent.kind === "put") return putResult(response);
  return { kind: "deleted", versions: response.versions ?? [], revision: response.revision };
}

function putResult({ version, revision, create_time }: Outcome["response"]): Result {
  return { kind: "put", version, revision, createTime: milliseconds(create_time) };
}

/** An acknowledged version is present and unchanged, unless ten later versions have replaced it. */
function lostPut({ intent: { path, value }, result }: Entry<PutIntent>, { secrets }: Dump): string[] {
  if (result.kind !== "put") return [];
  const versions = secrets.get(path) ?? [];
  const found = versions.find(({ version }) => version === result.version);
  const at = `version ${result.version} of ${path}`;
  if (found === undefined) return result.version > latestOf(versions) - RETAINED ? [`${at} is lost`] : [];
  if (found.revision !== result.revision || found.createTime !== result.createTime)
    return [`${at} differs from its acknowledgement`];
  return found.deleted === undefined && found.value !== value ? [`${at} has a different value`] : [];
}

function lostDelete({ intent: { path }, result }: Entry<DeleteIntent>, { secrets }: Dump): string[] {
  if (result.kind !== "deleted") return [];
  const versions = secrets.get(path) ?? [];
  const live = versions.filter(({ version, deleted }) => result.versions.includes(version) && deleted === undefined);
  return live.map(({ version }) => `the deletion of version ${version} of ${path} is lost`);
}

/** The versions are consecutive up to the latest, at most ten, and their revisions and times ascend. */
function inconsistentVersions(path: string, versions: readonly DumpedVersion[]): string[] {
  const complaints: string[] = [];
  if (versions.length !== Math.min(latestOf(versions), RETAINED)) complaints.push(`${path} has lost a version`);
  versions.slice(1).forEach((later, i) => {
    const earlier = versions[i]!;
    if (later.version !== earlier.version + 1) complaints.push(`${path} has a gap at version ${later.version}`);
    if (later.revision <= earlier.revision) complaints.push(`${path} has revisions out of order`);
    if (later.createTime < earlier.createTime) complaints.push(`${path} has decreasing times`);
  });
  return complaints;
}

function latestOf(versions: readonly DumpedVersion[]): number {
  return versions.at(-1)?.version ?? 0;
}
