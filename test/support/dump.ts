import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Caller } from "./server-kit.ts";
import { copyAsIs } from "./copy-folder.ts";

/** Everything that callers can learn about one version. Times are in milliseconds. */
export interface DumpedVersion {
  readonly version: number;
  readonly revision: number;
  readonly createTime: number;
  readonly createdBy: string;
  readonly deleted: { readonly time: number; readonly by: string } | undefined;
  /** Undefined if the version is deleted. */
  readonly value: string | undefined;
}

/**
 * Everything that callers can learn about a store: the retained versions by path, ascending, and the result of List.
 */
export interface Dump {
  readonly secrets: ReadonlyMap<string, readonly DumpedVersion[]>;
  readonly list: readonly object[];
}

/** The content for a value: a text entry, and a binary entry that is not UTF-8 and is derived from the value. */
export function contentOf(value: string): { data: Record<string, string>; binary_data: Record<string, Buffer> } {
  return { data: { text: value }, binary_data: { bytes: digest(value) } };
}

/** The value in the response to a Get. Both entries of the content must be unchanged. */
export function storedValue(response: { data: Record<string, string>; binary_data: Record<string, Buffer> }): string {
  const value = response.data["text"]!;
  assert.deepEqual(
    response.binary_data["bytes"],
    digest(value),
    "the text entry and the binary entry of a content do not match",
  );
  return value;
}

/** Reads everything at these paths from a server: List, Describe, and Get of every version. */
export async function dump(caller: Caller, paths: readonly string[]): Promise<Dump> {
  const described = await Promise.all(paths.map(async (path) => [path, await dumpSecret(caller, path)] as const));
  const list = await caller.list({ page_size: 1000 });
  assert.equal(list.code, "OK", list.message);
  return {
    secrets: new Map(described.filter(([, versions]) => versions.length > 0)),
    list: list.response.entries ?? [],
  };
}

async function dumpSecret(caller: Caller, path: string): Promise<DumpedVersion[]> {
  const { code, message, response } = await caller.describe({ path });
  if (code === "NOT_FOUND") return [];
  assert.equal(code, "OK", message);
  assert.equal(response.latest_version, response.versions.at(-1).version);
  return Promise.all(response.versions.map((version: WireVersion) => dumpVersion(caller, path, version)));
}

interface Timestamp {
  readonly seconds?: number;
  readonly nanos?: number;
}

interface WireVersion {
  readonly version: number;
  readonly revision: number;
  readonly state: string;
  readonly create_time: Timestamp;
  readonly created_by: string;
  readonly delete_time?: Timestamp;
  readonly deleted_by?: string;
}

async function dumpVersion(caller: Caller, path: string, wire: WireVersion): Promise<DumpedVersion> {
  const { version, revision, created_by: createdBy } = wire;
  const isDeleted = wire.state === "VERSION_STATE_DELETED";
  const got = await caller.get({ path, version });
  assert.equal(got.code, isDeleted ? "NOT_FOUND" : "OK", `Get of version ${version} of ${path}: ${got.message}`);
  return {
    version,
    revision,
    createTime: milliseconds(wire.create_time),
    createdBy,
    deleted: isDeleted ? { time: milliseconds(wire.delete_time!), by: wire.deleted_by! } : undefined,
    value: isDeleted ? undefined : storedValue(got.response),
  };
}

/** A timestamp in a message, in milliseconds. */
export function milliseconds({ seconds = 0, nanos = 0 }: Timestamp): number {
  return seconds * 1000 + nanos / 1e6;
}

/** The dump without its values, one line for each version, comparable with {@link rowsOf}. */
export function linesOf({ secrets }: Dump): string[] {
  const lines = [...secrets].flatMap(([path, versions]) =>
    versions.map(({ version, revision, createTime, createdBy, deleted }) =>
      line([path, version, revision, createTime, createdBy, deleted?.time ?? null, deleted?.by ?? null]),
    ),
  );
  return lines.sort();
}

/**
 * The rows of a store on disk, read with SQLite from a copy of the data folder, without Coffer's own code. No server
 * may be running.
 */
export function rowsOf(data: string): string[] {
  const revision = "row_number + rows_before";
  const columns = ["path", "version", revision, "create_time", "created_by", "state_time", "state_by"];
  return columnsOf(data, columns).map(line).sort();
}

/** These columns of all versions, as {@link rowsOf} reads them. */
export function columnsOf(data: string, columns: readonly string[]): (string | number | null)[][] {
  const folder = mkdtempSync(join(tmpdir(), "coffer-copy-"));
  try {
    copyAsIs(data, join(folder, "data"));
    const db = new Database(join(folder, "data", "store", "coffer.db"));
    const rows = db
      .prepare(`SELECT ${columns.join(", ")} FROM versions ORDER BY path, version`)
      .raw()
      .all();
    db.close();
    return rows as (string | number | null)[][];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function line(cells: readonly (string | number | null)[]): string {
  return cells.join(" | ");
}

function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
