import type Database from "better-sqlite3";
import type { WrappedKey } from "../sealing/data-key.ts";
import { StoreRefused } from "./store-refused.ts";

/** What makes a store this one: its id, which all sealed bytes are bound to, and its data key, wrapped. */
export interface StoreIdentity {
  readonly storeId: Buffer;
  readonly dataKey: WrappedKey;
}

/** Writes the identity of a new store; part of the transaction that creates it. */
export function writeIdentity(db: Database.Database, { storeId, dataKey }: StoreIdentity): void {
  db.prepare("INSERT INTO identity (only_row, store_id) VALUES (1, ?)").run(storeId);
  db.prepare("INSERT INTO data_keys (key_id, wrapped) VALUES (?, ?)").run(dataKey.keyId, dataKey.wrapped);
}

/**
 * Reads it. Throws {@link StoreRefused} if it is not there: a new one would make everything that is stored unreadable
 * for good.
 */
export function readIdentity(db: Database.Database, file: string): StoreIdentity {
  const identities = db.prepare<[], { storeId: Buffer }>("SELECT store_id AS storeId FROM identity").all();
  const keys = db.prepare<[], WrappedKey>("SELECT key_id AS keyId, wrapped FROM data_keys").all();
  const [identity] = identities;
  const [dataKey] = keys;
  if (identity === undefined || dataKey === undefined || keys.length > 1) {
    throw new StoreRefused("damaged", `${file} has lost its identity; restore it from a copy`);
  }
  return { storeId: identity.storeId, dataKey };
}
