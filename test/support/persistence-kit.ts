import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type SecretPath, parseSecretPath } from "../../src/domain/secret-path.ts";
import { type StoreFile, type StoreFileOptions, openStoreFile } from "../../src/persistence/store-file.ts";
import type { StoreContent } from "../../src/persistence/store-checks.ts";
import { writeIdentity } from "../../src/persistence/store-identity.ts";
import { StoredVersions } from "../../src/persistence/stored-versions.ts";
import { type StoreRefusal, StoreRefused } from "../../src/persistence/store-refused.ts";
import { versionContext } from "../../src/sealing/context.ts";
import { SecretKey } from "../../src/sealing/secret-key.ts";
import type { DeleteChange, PutChange, VersionRef } from "../../src/store/change.ts";
import type { CommitOutcome, CommittedEntry, Journal, JournalEntry, Revision } from "../../src/store/journal.ts";

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
    for (const _ of new StoredVersions(db, file).pages());
  },
  checkSeals: () => {},
};

/** Creates a folder below the system's temporary folder. It is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "coffer-persistence-"));
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
  const time = TIME;
  return { kind: "put", path: parseSecretPath(path), version, sealed, time, author: AUTHOR, pruned };
}

export function putSealed(store: StoreFile, path: string, version: number, value: string): PutChange {
  return put(path, version, [], store.sealer.seal(Buffer.from(value), versionContext(path, version)));
}

export function deletion(path: string, versions: VersionRef[]): DeleteChange {
  return { kind: "delete", path: path as SecretPath, versions, time: TIME, author: AUTHOR };
}

export function entries(...changes: (PutChange | DeleteChange)[]): JournalEntry[] {
  return changes.map((change) => ({ changes: [change] }));
}

/** Commits a group, which must succeed, and returns its revisions. */
export async function committed(journal: Journal, group: readonly JournalEntry[]): Promise<readonly Revision[]> {
  const outcome: CommitOutcome = await journal.commit(group, 0);
  if (outcome.kind !== "committed") throw new Error(`the commit was ${outcome.kind}`, { cause: outcome });
  return outcome.revisions;
}

export async function loaded(journal: Journal): Promise<CommittedEntry[]> {
  const all: CommittedEntry[] = [];
  for await (const chunk of journal.load()) all.push(...chunk);
  return all;
}

/** The content of a store, one line each, to compare two states. */
export async function summary(journal: Journal): Promise<string[]> {
  const lines = (entry: CommittedEntry) =>
    entry.changes.map((change) =>
      change.kind === "put"
        ? `${entry.revision} put ${change.path} ${change.version}`
        : `${entry.revision} delete ${change.path} ${change.versions.map(({ version }) => version)}`,
    );
  return (await loaded(journal)).flatMap(lines);
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
  const names = "openStore, put, putSealed, deletion, entries, committed, loaded, refusalOf, rootKey";
  const module = `import { ${names} } from ${JSON.stringify(import.meta.url)};
    const data = ${JSON.stringify(data)};
    ${script}`;
  const command = ["-c", shell, "sh", process.execPath, "--input-type=module", "-e", module];
  return spawnSync("sh", command, { encoding: "utf8" });
}
