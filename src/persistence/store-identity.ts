import type Database from "better-sqlite3";
import type { WrappedKey } from "../sealing/data-key.ts";
import { StoreRefused } from "./store-refused.ts";

/** The identity of a store: its id, to which all sealed bytes are bound, and its wrapped data key. */
export interface StoreIdentity {
  readonly storeId: Buffer;
  readonly dataKey: WrappedKey;
}

/** Writes the identity of a new store. Call it within the transaction that creates the store. */
export function writeIdentity(db: Database.Database, { storeId, dataKey }: StoreIdentity): void {
  db.prepare("INSERT INTO identity (only_row, store_id) VALUES (1, ?)").run(storeId);
  db.prepare("INSERT INTO data_keys (key_id, wrapped) VALUES (?, ?)").run(dataKey.keyId, dataKey.wrapped);
}

/**
 * Reads the identity of a store. Throws {@link StoreRefused} if it is missing: a new identity would make all stored
 * contents unreadable forever.
 */
export function readIdentity(db: Database.Database, file: string): StoreIdentity {
  const identities = db.prepare<[], { storeId: Buffer }>("SELECT store_id AS storeId FROM identity").all();
  const keys = db.prepare<[], WrappedKey>("SELECT key_id AS keyId, wrapped FROM data_keys").all();
  const [identity] = identities;
  const [dataKey] = keys;
  if (identity === undefined || dataKey === undefined || keys.length > 1) {
    throw new StoreRefused("damaged", `${file} has no valid identity; restore it from a copy`);
  }
  return { storeId: identity.storeId, dataKey };
}
