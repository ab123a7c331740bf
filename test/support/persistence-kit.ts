import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { type StoreFile, type StoreFileOptions, openStoreFile } from "../../src/persistence/store-file.ts";
import type { StoreContent } from "../../src/persistence/store-checks.ts";
import { writeIdentity } from "../../src/persistence/store-identity.ts";
import { StoredEntries } from "../../src/persistence/stored-entries.ts";
import { type StoreRefusal, StoreRefused } from "../../src/persistence/store-refused.ts";
import { versionContext } from "../../src/sealing/context.ts";
import { SecretKey } from "../../src/sealing/secret-key.ts";
import type {
  Change,
  ForgetChange,
  PurgeChange,
  PutChange,
  SettingsChange,
  StateChange,
  VersionRef,
  VersionStateKind,
} from "../../src/store/change.ts";
import type { AnsweredRequest, CommitOutcome, CommittedEntry, Journal, JournalEntry } from "../../src/store/journal.ts";
import type { Revision } from "../../src/store/revision.ts";
import type { TimelineId } from "../../src/store/timelines.ts";
import { DEFAULT_SETTINGS, type SettingsValues } from "../../src/store/settings.ts";

const AUTHOR = "spiffe://example.org/test";

/** The type of ext4, as statfs(2) reports it. */
const ext4 = 0xef53;

/** The time of every change. A store accepts equal times, but no decreasing ones. */
const TIME = 1_700_000_000_000;

/** Content with the tables of a store, but nothing that a key protects. */
export const plainContent: StoreContent = {
  create: (db) => writeIdentity(db, { storeId: Buffer.alloc(16, 3), dataKey: { keyId: 1, wrapped: Buffer.alloc(60) } }),
  check: () => {},
  checkRows: (db, file) => {
    for (const _ of new StoredEntries(db, file).pages());
  },
  checkSeals: () => {},
};

/** Creates a folder below `parent`. It is removed after the tests of the file. */
export function temporaryFolder(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, "coffer-persistence-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function rootKey(byte = 5): SecretKey {
  return SecretKey.take(Buffer.alloc(32, byte));
}

/** Opens or creates a store. The temporary folder counts as a local disk, on any file system. */
export function openStore(data: string, key = rootKey(), rest: Partial<StoreFileOptions> = {}): StoreFile {
  return openStoreFile({ data, rootKey: key, fileSystemType: () => ext4, ...rest });
}

/** A new version. Tests that don't need its sealed content ignore it. */
export function put(
  path: string,
  version: number,
  pruned: VersionRef[] = [],
  sealed: Buffer = Buffer.alloc(60, 1),
): PutChange {
  return { kind: "put", ...made(path), version, sealed, expireTime: undefined, rowsBefore: 0, pruned };
}

export function putSealed(store: StoreFile, path: string, version: number, value: string): PutChange {
  return put(path, version, [], store.sealer.seal(Buffer.from(value), versionContext(path, version)));
}

/** A change of the state of versions. The server is the author of an expiry. */
export function state(kind: VersionStateKind, path: string, versions: readonly VersionRef[]): StateChange {
  return { kind: "state", ...made(path), state: kind, versions, author: kind === "expired" ? "" : AUTHOR };
}

export function deletion(path: string, versions: readonly VersionRef[]): StateChange {
  return state("deleted", path, versions);
}

export function settings(
  path: string,
  values: Partial<SettingsValues> = {},
  pruned: readonly VersionRef[] = [],
): SettingsChange {
  const { revision: _, time: __, ...defaults } = DEFAULT_SETTINGS;
  return { kind: "settings", ...made(path), settings: { ...defaults, ...values }, pruned };
}

export function purge(path: string, lastVersion: number, versions: readonly VersionRef[]): PurgeChange {
  return { kind: "purge", ...made(path), lastVersion, versions };
}

export function forget(path: string): ForgetChange {
  return { kind: "forget", ...made(path), author: "" };
}

function made(path: string) {
  return { path: parseSecretPath(path), time: TIME, author: AUTHOR };
}

/** An answered request of the author of all changes. Its id and its digest contain `number`. */
export function request(number: number, rest: Partial<AnsweredRequest> = {}): AnsweredRequest {
  const id = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const digest = Buffer.alloc(32, number);
  return { caller: AUTHOR, id, digest, time: TIME, results: [], revision: undefined, ...rest };
}

/** One entry with several changes. Sets `rowsBefore` of each put. */
export function entry(...changes: Change[]): JournalEntry {
  let puts = changes.filter(({ kind }) => kind === "put").length;
  const placed = changes.map((change) => (change.kind === "put" ? { ...change, rowsBefore: --puts } : change));
  return { changes: placed, requests: undefined };
}

/** An entry for each change. */
export function entries(...changes: Change[]): JournalEntry[] {
  return changes.map((change) => entry(change));
}

/** Commits a group, which must succeed, and returns its revisions. */
export async function committed(journal: Journal, group: readonly JournalEntry[]): Promise<readonly Revision[]> {
  const outcome: CommitOutcome = await journal.commit(group, 0);
  if (outcome.kind !== "committed") throw new Error(`the commit was ${outcome.kind}`, { cause: outcome });
  return outcome.revisions;
}

/** The entries of a journal, without those of {@link timelines}. */
export async function loaded(journal: Journal): Promise<CommittedEntry[]> {
  return (await everything(journal)).filter(({ timeline }) => timeline === undefined);
}

/** The timelines of a journal, ascending, each as its first revision and its id. */
export async function timelines(journal: Journal): Promise<(readonly [Revision, TimelineId])[]> {
  const all = await everything(journal);
  return all.flatMap(({ timeline }) => (timeline === undefined ? [] : [[timeline.first, timeline.id] as const]));
}

async function everything(journal: Journal): Promise<CommittedEntry[]> {
  const all: CommittedEntry[] = [];
  for await (const chunk of journal.load()) all.push(...chunk);
  return all;
}

/** The content of a store, one line each, to compare two states. */
export async function summary(journal: Journal): Promise<string[]> {
  return (await loaded(journal)).flatMap(({ changes, requests, revision }) => [
    ...changes.map((change) => `${revision} ${lineOf(change)}`),
    ...(requests?.kind === "remember" ? [`${revision} request ${requests.request.id.slice(-4)}`] : []),
  ]);
}

function lineOf(change: Change): string {
  switch (change.kind) {
    case "put":
      return `put ${change.path} ${change.version}`;
    case "state":
      return `${change.state} ${change.path} ${change.versions.map(({ version }) => version)}`;
    case "purge":
      return `purge ${change.path} ${change.lastVersion}`;
    default:
      return `${change.kind} ${change.path}`;
  }
}

/** Why the action was refused; undefined if it was not. */
export function refusalOf(action: () => unknown): StoreRefused | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof StoreRefused) return error;
    throw error;
  }
}

export function refusalKind(action: () => unknown): StoreRefusal | undefined {
  return refusalOf(action)?.refusal;
}

/**
 * Runs a script in a separate process. It may use the exports of this file by name, and `data`, a folder. `shell` is
 * the shell command that runs the process; it can set limits first.
 */
export function inChild(data: string, script: string, shell = 'exec "$@"'): SpawnSyncReturns<string> {
  const names = "openStore, put, putSealed, deletion, state, entry, entries, committed, loaded, refusalOf, rootKey";
  const module = `import { ${names} } from ${JSON.stringify(import.meta.url)};
    const data = ${JSON.stringify(data)};
    ${script}`;
  const command = ["-c", shell, "sh", process.execPath, "--input-type=module", "-e", module];
  return spawnSync("sh", command, { encoding: "utf8" });
}
