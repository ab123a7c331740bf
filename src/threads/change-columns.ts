import type { SecretPath } from "../domain/secret-path.ts";
import type { Change, VersionRef, VersionStateKind } from "../store/change.ts";
import type { SettingsValues } from "../store/settings.ts";
import type { ColumnReader, ColumnWriter } from "./columns.ts";
import { readLabel, writeLabel } from "./command-columns.ts";

/** A place in shared memory: a chunk by its number, and the offset of the first byte. */
export interface Location {
  readonly chunk: number;
  readonly at: number;
  readonly length: number;
}

const CHANGES = ["put", "state", "settings", "purge", "forget"] as const;

const STATES: readonly VersionStateKind[] = ["live", "deleted", "destroyed", "expired"];

/** Writes a change whose content is in shared memory. The rows of {@link VersionRef} are left out. */
export function writeChange(writer: ColumnWriter, change: Change<Location>): void {
  writer.oneOf(CHANGES, change.kind);
  writer.text(change.path);
  writer.number(change.time);
  writer.sharedText(change.author);
  switch (change.kind) {
    case "put":
      writer.number(change.version);
      writeLocation(writer, change.sealed);
      writer.optional(change.expireTime);
      writer.number(change.rowsBefore);
      writer.list(change.pruned, writeVersion);
      break;
    case "state":
      writer.oneOf(STATES, change.state);
      writer.list(change.versions, writeVersion);
      break;
    case "settings":
      writeSettings(writer, change.settings);
      writer.list(change.pruned, writeVersion);
      break;
    case "purge":
      writer.number(change.lastVersion);
      writer.list(change.versions, writeVersion);
      break;
  }
}

/** Reads a change. The rows of its {@link VersionRef}s are undefined, since only the journal uses them. */
export function readChange(reader: ColumnReader): Change<Location> {
  const kind = reader.oneOf(CHANGES);
  const path = reader.text() as SecretPath;
  const time = reader.number();
  const author = reader.text();
  switch (kind) {
    case "put":
      return {
        kind,
        path,
        time,
        author,
        version: reader.number(),
        sealed: readLocation(reader),
        expireTime: reader.optional(),
        rowsBefore: reader.number(),
        pruned: reader.list(readVersion),
      };
    case "state":
      return { kind, path, time, author, state: reader.oneOf(STATES), versions: reader.list(readVersion) };
    case "settings":
      return { kind, path, time, author, settings: readSettings(reader), pruned: reader.list(readVersion) };
    case "purge":
      return { kind, path, time, author, lastVersion: reader.number(), versions: reader.list(readVersion) };
    case "forget":
      return { kind, path, time, author };
  }
}

function writeLocation(writer: ColumnWriter, { chunk, at, length }: Location): void {
  writer.number(chunk);
  writer.number(at);
  writer.number(length);
}

function readLocation(reader: ColumnReader): Location {
  return { chunk: reader.number(), at: reader.number(), length: reader.number() };
}

function writeVersion(writer: ColumnWriter, { version }: VersionRef): void {
  writer.number(version);
}

function readVersion(reader: ColumnReader): VersionRef {
  return { version: reader.number(), row: undefined };
}

function writeSettings(writer: ColumnWriter, settings: SettingsValues): void {
  writer.number(settings.maxVersions);
  writer.list(settings.labels, writeLabel);
  writer.text(settings.description);
  writer.optional(settings.defaultTtl);
  writer.number(settings.casRequired ? 1 : 0);
  writer.number(settings.firstVersion);
}

function readSettings(reader: ColumnReader): SettingsValues {
  return {
    maxVersions: reader.number(),
    labels: reader.list(readLabel),
    description: reader.text(),
    defaultTtl: reader.optional(),
    casRequired: reader.number() === 1,
    firstVersion: reader.number(),
  };
}
