import type { SecretPath } from "../domain/secret-path.ts";
import type { Change, VersionRef } from "../store/change.ts";
import type { CommittedEntry } from "../store/journal.ts";
import { DELETE, PUT } from "./change-kind.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";

/** A place in shared memory: a chunk by its number, and the offset of the first byte. */
export interface Location {
  readonly chunk: number;
  readonly at: number;
  readonly length: number;
}

/** The chunk number of a content whose version a later change of the same publication has pruned. It is never read. */
export const PRUNED = -1;

/** Encodes entries whose contents are in shared memory. */
export function encodeBatch(entries: readonly CommittedEntry<Location>[]): Columns {
  const writer = new ColumnWriter();
  for (const { revision, changes } of entries) {
    writer.number(revision);
    writer.number(changes.length);
    for (const change of changes) writeChange(writer, change);
  }
  return writer.end();
}

/** Decodes a batch. The revisions of {@link VersionRef} are left out, since only the journal uses them. */
export function decodeBatch(batch: Columns): CommittedEntry<Location>[] {
  const reader = new ColumnReader(batch);
  const entries: CommittedEntry<Location>[] = [];
  while (!reader.isOver) {
    const revision = reader.number();
    entries.push({ revision, changes: reader.list(() => readChange(reader)) });
  }
  return entries;
}

function writeChange(writer: ColumnWriter, change: Change<Location>): void {
  writer.number(change.kind === "put" ? PUT : DELETE);
  writer.text(change.path);
  writer.number(change.time);
  writer.sharedText(change.author);
  if (change.kind === "put") {
    const { chunk, at, length } = change.sealed;
    for (const number of [change.version, chunk, at, length]) writer.number(number);
  }
  writer.numbers((change.kind === "put" ? change.pruned : change.versions).map(({ version }) => version));
}

function readChange(reader: ColumnReader): Change<Location> {
  const kind = reader.number();
  const path = reader.text() as SecretPath;
  const time = reader.number();
  const author = reader.text();
  if (kind === DELETE) return { kind: "delete", path, time, author, versions: readVersions(reader) };
  const version = reader.number();
  const sealed = { chunk: reader.number(), at: reader.number(), length: reader.number() };
  return { kind: "put", path, time, author, version, sealed, pruned: readVersions(reader) };
}

function readVersions(reader: ColumnReader): VersionRef[] {
  return reader.list(() => ({ version: reader.number(), revision: undefined }));
}
