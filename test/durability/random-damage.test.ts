import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import Database from "better-sqlite3";
import type { StoreFile } from "../../src/persistence/store-file.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { StoreRefused } from "../../src/persistence/store-refused.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { copyAsIs } from "../support/copy-folder.ts";
import { commandOf, deleteRequest, destroyRequest, loadStore, putRequest, read } from "../support/store-kit.ts";
import { openStore } from "../support/persistence-kit.ts";

const CASES = 2000;
const SECTOR = 512;
const PAGE = 4096;

/** In memory if possible, because every case creates and syncs files. */
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "coffer-damage-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The result of a Get of every path and version: the value, or the reason of the error. */
type State = ReadonlyMap<string, string>;

/** The two files of a store, and the acknowledged state when they were copied. */
interface Files {
  readonly database: Buffer;
  readonly log: Buffer;
  readonly state: State;
  /** The states before the last commit and before the last two; none if these commits are in the database. */
  readonly withoutLast?: readonly State[];
}

/** The files that a start finds. */
type Found = Omit<Files, "state" | "withoutLast">;

const PATHS = ["a", "b/c", "b/d", "large", "pruned", "deleted", "destroyed", "purged"];
const VERSIONS = Array.from({ length: 16 }, (_, i) => i + 1);

function stateOf(store: SecretStore): State {
  const entries = PATHS.flatMap((path) => VERSIONS.map((version) => [path, version] as const));
  return new Map(entries.map(([path, version]) => [`${path} ${version}`, read(store, path, version)]));
}

/** Every value that was ever put in the damaged store, by path and version. No other value may ever be read there. */
const PUT = new Map<string, string>();

async function put(store: SecretStore, path: string, value: string): Promise<void> {
  const { results } = await store.change(putRequest(path, value));
  if (value.startsWith("own ")) PUT.set(`${path} ${results[0]?.versions[0]}`, value);
}

/** Purges a secret that has settings, with a request id. */
async function purge(store: SecretStore, name: string): Promise<void> {
  const path = parseSecretPath(name);
  const update = { setLabels: [["a", "b"] as const], removedLabels: [], casRequired: false };
  const unset = { maxVersions: 7, description: undefined, defaultTtl: undefined };
  await store.change(
    commandOf({ kind: "metadata", path, expectedVersion: undefined, update: { ...update, ...unset } }),
  );
  const command = commandOf({ kind: "purge", path, expectedVersion: undefined });
  await store.change({ ...command, requestId: randomUUID() });
}

/**
 * Makes a store with about 80 changes, and returns its files at several stages. Before the last stage, the store is closed.
 */
async function stages(name: string): Promise<readonly Files[]> {
  const data = join(folder, name);
  const file = openStore(data);
  const store = await loadStore(file.journal, { sealer: file.sealer });
  const taken: Files[] = [];
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 12; i++) {
      const path = PATHS[i % PATHS.length]!;
      await put(store, path, `${name} ${round} ${i} `.padEnd(path === "large" ? 9000 : 40 + i, "x"));
      if (path === "deleted") await store.change(deleteRequest(path));
      if (path === "destroyed") await store.change(destroyRequest(path));
      if (path === "purged") await purge(store, path);
    }
    let withoutLast: State[] = [];
    for (let i = 0; i < 3; i++) {
      withoutLast = [...withoutLast.slice(-1), stateOf(store)];
      await put(store, "pruned", `${name} ${round} pruned ${i}`);
    }
    taken.push({ ...take(data, `${name}-${round}`, store), withoutLast });
    if (round === 1) store.checkpoint("full");
  }
  const state = stateOf(store);
  await close(file);
  taken.push({ ...filesIn(data), state });
  return taken;
}

/**
 * The files that a kill at this moment would leave. Another process copies them: if this process opened and closed the
 * database, it would drop its own lock on it.
 */
function take(data: string, name: string, store: SecretStore): Files {
  const copy = join(folder, name);
  copyAsIs(data, copy);
  return { ...filesIn(copy), state: stateOf(store) };
}

function filesIn(data: string): Found {
  const at = join(data, "store", "coffer.db");
  return { database: readFileSync(at), log: existsSync(`${at}-wal`) ? readFileSync(`${at}-wal`) : Buffer.alloc(0) };
}

async function close({ journal, sealer }: StoreFile): Promise<void> {
  journal.close();
  sealer.close();
}

/** Pseudorandom numbers that are the same in every run, so that a failed case can be repeated. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed + 1;
  }

  /** A whole number below a limit (xorshift32, Marsaglia 2003). */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

/**
 * The undetected result that a kind of damage may have: an older state (rollback), or other values in the columns that
 * are stored in plain text. undefined if the damage must be refused, reported or harmless.
 */
type Exempt = "rollback" | "plain columns" | undefined;

/** A kind of damage, and the undetected result that it may have. */
interface Damage {
  readonly name: string;
  readonly exempt: Exempt;
  /**
   * Whether the damage applies only to the store of a killed server, which has a log. The database of another store
   * without a log is a complete store, so that is not damage.
   */
  readonly ofKilled?: boolean;
  readonly apply: (files: Found, random: Random) => Found;
}

const own = await stages("own");
const other = await stages("other");

/** The stores that are damaged: one of a killed server with a log, and one of a closed server without a log. */
const [killed, closed] = [own[3]!, own[4]!];

function inBytes(name: string, change: (bytes: Buffer, random: Random) => void): Damage[] {
  return (["database", "log"] as const).map((which) => ({
    name: `${name} of the ${which}`,
    exempt: which === "database" ? "plain columns" : undefined,
    apply: (files, random) => {
      const bytes = Buffer.from(files[which]);
      if (bytes.length > 0) change(bytes, random);
      return { ...files, [which]: bytes };
    },
  }));
}

function zero(bytes: Buffer, size: number, random: Random): void {
  const at = random.below(Math.ceil(bytes.length / size)) * size;
  bytes.fill(0, at, Math.min(at + size, bytes.length));
}

function exchange(bytes: Buffer, size: number, offset: number, random: Random): void {
  const count = Math.floor((bytes.length - offset) / size);
  const [from, to] = [offset + random.below(count) * size, offset + random.below(count) * size];
  const piece = Buffer.from(bytes.subarray(from, from + size));
  bytes.copyWithin(from, to, to + size);
  piece.copy(bytes, to);
}

/** Replaces a part of a file with the same part of another file. */
function pieceOf(name: string, from: readonly Files[], size: number): Damage[] {
  return (["database", "log"] as const).map((which) => ({
    name: `${name} of the ${which}`,
    exempt: which === "database" ? "rollback" : undefined,
    apply: (files, random) => {
      const bytes = Buffer.from(files[which]);
      const source = random.of(from)[which];
      const at = random.below(Math.max(1, Math.floor(Math.min(bytes.length, source.length) / size))) * size;
      source.copy(bytes, at, at, at + size);
      return { ...files, [which]: bytes };
    },
  }));
}

function inRows(name: string, exempt: Exempt, sql: (random: Random, count: number) => string): Damage {
  return {
    name: `${name} in the table`,
    exempt,
    apply: (files, random) => {
      const at = join(folder, "rows.db");
      writeFileSync(at, files.database);
      if (files.log.length > 0) writeFileSync(`${at}-wal`, files.log);
      const db = new Database(at);
      const count = db.prepare("SELECT max(row_number) FROM versions").pluck().get() as number;
      db.exec(`BEGIN; ${sql(random, count)}; COMMIT`);
      db.close();
      return { database: readFileSync(at), log: Buffer.alloc(0) };
    },
  };
}

const anyRow = (random: Random, count: number) =>
  `row_number = (SELECT row_number FROM versions WHERE row_number >= ${1 + random.below(count)} LIMIT 1)`;

const DAMAGES: readonly Damage[] = [
  ...inBytes("a bit", (bytes, random) => (bytes[random.below(bytes.length)]! ^= 1 << random.below(8))),
  ...inBytes("a byte", (bytes, random) => (bytes[random.below(bytes.length)] = random.below(256))),
  ...inBytes("a sector of zeros", (bytes, random) => zero(bytes, SECTOR, random)),
  ...inBytes("a sector of noise", (bytes, random) => {
    const at = random.below(Math.ceil(bytes.length / SECTOR)) * SECTOR;
    for (let i = at; i < Math.min(at + SECTOR, bytes.length); i++) bytes[i] = random.below(256);
  }),
  ...inBytes("a page of zeros", (bytes, random) => zero(bytes, PAGE, random)),
  ...inBytes("two exchanged pages", (bytes, random) => exchange(bytes, PAGE, 0, random)),
  ...inBytes("two exchanged frames", (bytes, random) => exchange(bytes, PAGE + 24, 32, random)),
  ...pieceOf("a page of an earlier time", own, PAGE),
  ...pieceOf("a page of another store", other, PAGE),
  ...pieceOf("a sector of an earlier time", own, SECTOR),
  ...pieceOf("a sector of another store", other, SECTOR),
  {
    name: "a truncated database",
    exempt: undefined,
    apply: (files, random) => ({ ...files, database: files.database.subarray(0, random.below(files.database.length)) }),
  },
  {
    name: "a truncated log",
    exempt: "rollback",
    apply: (files, random) => ({ ...files, log: files.log.subarray(0, random.below(files.log.length + 1)) }),
  },
  { name: "no log", exempt: "rollback", apply: (files) => ({ ...files, log: Buffer.alloc(0) }) },
  {
    name: "the database of an earlier time",
    exempt: "rollback",
    apply: (files, random) => ({ ...files, database: random.of(own).database }),
  },
  {
    name: "the log of an earlier time",
    exempt: "rollback",
    apply: (files, random) => ({ ...files, log: random.of(own).log }),
  },
  { name: "the database and the log of an earlier time", exempt: "rollback", apply: (_, random) => random.of(own) },
  {
    name: "the database of another store",
    exempt: undefined,
    ofKilled: true,
    apply: (files, random) => ({ ...files, database: random.of(other).database }),
  },
  {
    name: "the log of another store",
    exempt: undefined,
    apply: (files, random) => ({ ...files, log: random.of(other.slice(0, -1)).log }),
  },
  inRows("a missing row", "rollback", (random, count) => `DELETE FROM versions WHERE ${anyRow(random, count)}`),
  inRows(
    "a moved content",
    undefined,
    (random, count) =>
      `UPDATE versions SET sealed = (SELECT sealed FROM versions WHERE ${anyRow(random, count)}) WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "a moved path",
    "plain columns",
    (random, count) =>
      `UPDATE versions SET path = (SELECT path FROM versions WHERE ${anyRow(random, count)}) WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "a changed version",
    "plain columns",
    (random, count) => `UPDATE versions SET version = ${1 + random.below(16)} WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "a copied row",
    undefined,
    (random, count) =>
      `INSERT INTO versions SELECT ${count + 1 + random.below(9)}, path, version, create_time, created_by, sealed, state_revision, state_time, state_by, state, rows_before, expire_time FROM versions WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "an undone deletion",
    "plain columns",
    () => "UPDATE versions SET state_revision = NULL, state_time = NULL, state_by = NULL WHERE path = 'deleted'",
  ),
  inRows(
    "a moved revision",
    "plain columns",
    (random, count) =>
      `UPDATE OR IGNORE versions SET row_number = ${1 + random.below(count + 9)} WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "an undone destruction",
    undefined,
    () =>
      "UPDATE versions SET state_revision = NULL, state_time = NULL, state_by = NULL, state = 1 WHERE path = 'destroyed'",
  ),
  inRows(
    "a changed state",
    "plain columns",
    (random, count) => `UPDATE versions SET state = ${random.below(5)} WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "a changed position in an entry",
    "plain columns",
    (random, count) => `UPDATE versions SET rows_before = ${random.below(200)} WHERE ${anyRow(random, count)}`,
  ),
  inRows(
    "a time of expiry",
    "plain columns",
    (random, count) => `UPDATE versions SET expire_time = ${random.below(9)} WHERE ${anyRow(random, count)}`,
  ),
  inRows("a missing tombstone", "plain columns", () => "DELETE FROM tombstones"),
  inRows("a moved tombstone", "plain columns", (random) => `UPDATE tombstones SET path = '${random.of(PATHS)}'`),
  inRows("a changed tombstone", "plain columns", (random) => `UPDATE tombstones SET last_version = ${random.below(9)}`),
  inRows(
    "settings of another secret",
    "plain columns",
    (random) =>
      `INSERT INTO settings SELECT '${random.of(PATHS)}', revision, time, author, ${1 + random.below(99)}, '[]', '', NULL, 0, ${1 + random.below(9)} FROM tombstones`,
  ),
  inRows("a missing request", "plain columns", () => "DELETE FROM requests"),
  inRows("a changed request", "plain columns", () => "UPDATE requests SET results = '[[[9],null]]'"),
];

/** The result of a start on damaged files. */
type Ending = "refused" | "reported" | "harmless" | "last commits" | "rollback" | "changed" | "wrong value";

async function ending(files: Found, expected: Files): Promise<Ending> {
  const data = join(folder, "case");
  rmSync(data, { recursive: true, force: true });
  mkdirSync(join(data, "store"), { recursive: true, mode: 0o700 });
  const at = join(data, "store", "coffer.db");
  writeFileSync(at, files.database, { mode: 0o600 });
  if (files.log.length > 0) writeFileSync(`${at}-wal`, files.log, { mode: 0o600 });
  let file: StoreFile | undefined;
  try {
    file = openStore(data);
    return compare(stateOf(await loadStore(file.journal, { sealer: file.sealer })), expected);
  } catch (error) {
    if (!(error instanceof StoreRefused)) throw error;
    const found = filesIn(data);
    // An empty log counts as a missing one.
    assert.ok(
      found.database.equals(files.database) && found.log.equals(files.log),
      `refused and changed: ${error.message}`,
    );
    return "refused";
  } finally {
    if (file !== undefined) await close(file);
  }
}

const NO_VALUE = new Set([
  "SECRET_NOT_FOUND",
  "VERSION_NOT_FOUND",
  "VERSION_DELETED",
  "VERSION_DESTROYED",
  "VERSION_EXPIRED",
  "CONTENT_UNREADABLE",
]);

function compare(found: State, { state: expected, withoutLast }: Files): Ending {
  const isLike = (state: State) => [...found].every(([key, value]) => state.get(key) === value);
  const different = [...found].filter(([key, value]) => value !== expected.get(key));
  if (different.length === 0) return "harmless";
  if (different.some(([key, value]) => !NO_VALUE.has(value) && PUT.get(key) !== value)) return "wrong value";
  if (different.every(([, value]) => value === "CONTENT_UNREADABLE")) return "reported";
  if (withoutLast?.some(isLike)) return "last commits";
  return own.some(({ state }) => isLike(state)) ? "rollback" : "changed";
}

// The test damages the database, its log, or both at random. Either the start is refused without changing a byte, or
// each content that can't be decrypted is reported by an error, or the damage is harmless. Two kinds of damage may go
// undetected: those that restore an older state, and those that change columns that are stored in plain text. Even
// then, every value that is read was put at that path and version. Damage to the last commit of a log may go undetected
// too, because it looks like a power failure, and so may damage to the last two, if it includes the end of the first one.
test(`${CASES} random cases of damage are refused, reported or harmless`, async (t) => {
  assert.deepEqual([await ending(killed, killed), await ending(closed, closed)], ["harmless", "harmless"]);
  const counts = new Map<string, number>();
  const silent: string[] = [];
  for (let seed = 0; seed < CASES; seed++) {
    const random = new Random(seed * 7919);
    const damage = DAMAGES[seed % DAMAGES.length]!;
    const base = damage.ofKilled ? killed : random.of([killed, closed]);
    const result = await ending(damage.apply(base, random), base);
    counts.set(result, (counts.get(result) ?? 0) + 1);
    const isLastCommit = damage.name.endsWith("of the log") && result === "last commits";
    const isAllowed = result === "refused" || result === "reported" || result === "harmless" || isLastCommit;
    if (result === "wrong value" || !(isAllowed || damage.exempt !== undefined)) {
      silent.push(`seed ${seed}: ${damage.name}, ${base === killed ? "killed" : "closed"}: ${result}`);
    }
  }
  t.diagnostic([...counts].map(([result, count]) => `${result}: ${count}`).join(", "));
  assert.deepEqual(silent, []);
  assert.ok((counts.get("refused") ?? 0) > CASES / 4, "the damage is mostly harmless");
});
