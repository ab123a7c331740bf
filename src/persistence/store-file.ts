import { join } from "node:path";
import type Database from "better-sqlite3";
import { versionContext } from "../sealing/context.ts";
import { DataKeyBroken, unwrapDataKey, type WrappedKey, wrapDataKey } from "../sealing/data-key.ts";
import { type RandomFill, drawnAhead, secureRandom } from "../sealing/random.ts";
import { SealBroken } from "../sealing/sealer.ts";
import { SecretKey } from "../sealing/secret-key.ts";
import { STORE_ID_BYTES, XChaChaSealer } from "../sealing/xchacha-sealer.ts";
import type { PutChange } from "../store/change.ts";
import type { CommittedEntry } from "../store/journal.ts";
import { type FileSystemType, prepareDataFolder } from "./data-folder.ts";
import { openDatabase } from "./database.ts";
import { DATABASE_NAME } from "./misplaced-store.ts";
import type { FreeBytes } from "./free-space.ts";
import { SqliteJournal } from "./sqlite-journal.ts";
import { reading, type StoreContent } from "./store-checks.ts";
import { lockHolder } from "./lock-holder.ts";
import { readIdentity, type StoreIdentity, writeIdentity } from "./store-identity.ts";
import { StoreRefused } from "./store-refused.ts";
import { StoredEntries } from "./stored-entries.ts";

const FIRST_KEY_ID = 1;

/** The options of {@link openStoreFile}. */
export interface StoreFileOptions {
  /** The folder of `--data`. It is created if it does not exist and its parent does. */
  readonly data: string;
  /** {@link openStoreFile} wipes it in every case before it returns or throws. Only the data key stays in memory. */
  readonly rootKey: SecretKey;
  readonly random?: RandomFill;
  readonly fileSystemType?: FileSystemType;
  readonly freeBytes?: FreeBytes;
}

/** An open store on disk. This process holds its lock until the journal is closed. */
export interface StoreFile {
  readonly journal: SqliteJournal;
  /** Holds the data key. The caller of {@link openStoreFile} closes it. */
  readonly sealer: XChaChaSealer;
  /** 16 random bytes, chosen when the store was created. */
  readonly storeId: Buffer;
  /** Whether this call created the store. */
  readonly created: boolean;
  /** Warnings for the log. */
  readonly warnings: readonly string[];
}

/** Opens the store in a data folder, or creates it if there is none. Throws {@link StoreRefused}. */
export function openStoreFile(options: StoreFileOptions): StoreFile {
  try {
    return open(options);
  } finally {
    options.rootKey.wipe();
  }
}

function open({ data, rootKey, random = secureRandom, fileSystemType, freeBytes }: StoreFileOptions): StoreFile {
  const folder = prepareDataFolder(data, fileSystemType);
  const content = new StoreUnderKey(rootKey, random);
  const db = openDatabase(join(folder.store, DATABASE_NAME), content, freeBytes);
  try {
    const { storeId, sealer } = reading(db, db.name, () => content.open(db, db.name));
    const journal = reading(db, db.name, () => new SqliteJournal(db, freeBytes, random));
    return { journal, sealer, storeId, created: content.created, warnings: folder.warnings };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Creates and checks the content of a store with its root key. */
class StoreUnderKey implements StoreContent {
  readonly #rootKey: SecretKey;
  readonly #random: RandomFill;
  /** Whether {@link create} was called. */
  created = false;

  constructor(rootKey: SecretKey, random: RandomFill) {
    this.#rootKey = rootKey;
    this.#random = random;
  }

  create(db: Database.Database): void {
    writeIdentity(db, newIdentity(this.#rootKey, this.#random));
    this.created = true;
  }

  check(db: Database.Database, file: string): void {
    this.open(db, file).sealer.close();
  }

  checkRows(db: Database.Database, file: string): void {
    for (const _ of new StoredEntries(db, file).pages());
  }

  checkSeals(db: Database.Database, file: string): void {
    const { sealer } = this.open(db, file);
    try {
      for (const page of new StoredEntries(db, file).pages()) checkSealsOf(page, sealer, file);
    } finally {
      sealer.close();
    }
  }

  /** Returns the id of a store, and a sealer that holds its data key. Throws {@link StoreRefused}. */
  open(db: Database.Database, file: string): { readonly storeId: Buffer; readonly sealer: XChaChaSealer } {
    const { storeId, dataKey } = readIdentity(db, file);
    const key = unwrap(dataKey, this.#rootKey, storeId, file);
    return { storeId, sealer: new XChaChaSealer({ key, keyId: dataKey.keyId, storeId }, drawnAhead(this.#random)) };
  }
}

/** Checks a log of an older release, which has no marks: if its contents can be decrypted, it belongs to this store. */
function checkSealsOf(page: readonly CommittedEntry[], sealer: XChaChaSealer, file: string): void {
  for (const { revision, changes } of page) {
    for (const change of changes) {
      if (change.kind !== "put" || isOpened(change, sealer)) continue;
      const message = `${file} with its log is damaged: the content of revision ${revision} can't be decrypted`;
      throw new StoreRefused(
        "damaged",
        `${message}; the log may belong to another store; restore both from the same copy`,
      );
    }
  }
}

function isOpened({ sealed, path, version }: PutChange, sealer: XChaChaSealer): boolean {
  try {
    sealer.open(sealed, versionContext(path, version));
    return true;
  } catch (error) {
    if (error instanceof SealBroken) return false;
    throw error;
  }
}

/**
 * The id of the process that has the store in a data folder open; undefined if there is none or the kernel hides it.
 */
export function storeHolder(data: string): string | undefined {
  return lockHolder(join(data, "store", DATABASE_NAME));
}

function newIdentity(rootKey: SecretKey, random: RandomFill): StoreIdentity {
  const storeId = Buffer.alloc(STORE_ID_BYTES);
  random(storeId);
  const key = SecretKey.random(random);
  const dataKey = wrapDataKey(key, FIRST_KEY_ID, rootKey, storeId, random);
  key.wipe();
  return { storeId, dataKey };
}

function unwrap(dataKey: WrappedKey, rootKey: SecretKey, storeId: Buffer, file: string): SecretKey {
  try {
    return unwrapDataKey(dataKey, rootKey, storeId);
  } catch (cause) {
    if (!(cause instanceof DataKeyBroken)) throw cause;
    if (cause.failure === "damaged") {
      throw new StoreRefused("damaged", `the data key in ${file} is damaged; restore the store from a copy`, {
        cause,
      });
    }
    const message = `wrong root key: the store in ${file} was created with another key, and opens only with that key`;
    throw new StoreRefused("wrong root key", message, { cause });
  }
}
