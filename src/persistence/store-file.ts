import { join } from "node:path";
import type Database from "better-sqlite3";
import { DataKeyBroken, unwrapDataKey, type WrappedKey, wrapDataKey } from "../sealing/data-key.ts";
import { type RandomFill, drawnAhead, secureRandom } from "../sealing/random.ts";
import { SecretKey } from "../sealing/secret-key.ts";
import { STORE_ID_BYTES, XChaChaSealer } from "../sealing/xchacha-sealer.ts";
import { type FileSystemType, prepareDataFolder } from "./data-folder.ts";
import { openDatabase } from "./database.ts";
import type { FreeBytes } from "./free-space.ts";
import { SqliteJournal } from "./sqlite-journal.ts";
import { lockHolder } from "./lock-holder.ts";
import { readIdentity, type StoreIdentity, writeIdentity } from "./store-identity.ts";
import { StoreRefused } from "./store-refused.ts";

const DATABASE_NAME = "coffer.db";
const FIRST_KEY_ID = 1;

/** What a store on disk is opened with. */
export interface StoreFileOptions {
  /** The folder of `--data`; created if it is missing and its parent is not. */
  readonly data: string;
  /** Wiped in any case before {@link openStoreFile} returns: from then on the data key is the only key held. */
  readonly rootKey: SecretKey;
  readonly random?: RandomFill;
  readonly fileSystemType?: FileSystemType;
  readonly freeBytes?: FreeBytes;
}

/** A store on disk that this process owns until the journal is closed. */
export interface StoreFile {
  readonly journal: SqliteJournal;
  /** Holds the data key; whoever opened the store closes it. */
  readonly sealer: XChaChaSealer;
  /** 16 random bytes, made with the store. */
  readonly storeId: Buffer;
  /** Whether there was no store before. */
  readonly created: boolean;
  /** Lines for the log. */
  readonly warnings: readonly string[];
}

/** Opens the store in a data folder, or makes one if there is none. Throws {@link StoreRefused}. */
export function openStoreFile(options: StoreFileOptions): StoreFile {
  try {
    return open(options);
  } finally {
    options.rootKey.wipe();
  }
}

function open({ data, rootKey, random = secureRandom, fileSystemType, freeBytes }: StoreFileOptions): StoreFile {
  const folder = prepareDataFolder(data, fileSystemType);
  let created = false;
  const db = openDatabase(join(folder.store, DATABASE_NAME), (fresh) => {
    created = true;
    writeIdentity(fresh, newIdentity(rootKey, random));
  });
  try {
    const { storeId, dataKey } = readIdentity(db);
    const key = unwrap(dataKey, rootKey, storeId, db);
    const sealer = new XChaChaSealer({ key, keyId: dataKey.keyId, storeId }, drawnAhead(random));
    return { journal: new SqliteJournal(db, freeBytes), sealer, storeId, created, warnings: folder.warnings };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The process that has the store in a data folder open; undefined: none, or the kernel does not tell. */
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

function unwrap(dataKey: WrappedKey, rootKey: SecretKey, storeId: Buffer, db: Database.Database): SecretKey {
  try {
    return unwrapDataKey(dataKey, rootKey, storeId);
  } catch (cause) {
    if (!(cause instanceof DataKeyBroken)) throw cause;
    if (cause.failure === "damaged") {
      throw new StoreRefused("damaged", `the data key in ${db.name} is damaged; restore the store from a copy`, {
        cause,
      });
    }
    const message = `wrong root key: the store in ${db.name} was made with another one, and opens only with that`;
    throw new StoreRefused("wrong root key", message, { cause });
  }
}
