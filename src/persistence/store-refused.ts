import { StartError } from "../domain/start-refused.ts";

/** Why a data folder or a database is refused. */
export type StoreRefusal =
  /** The data folder can't be created, read or written. */
  | "not accessible"
  /** An entry that must be a folder or a file is a link or of another kind. */
  | "wrong kind"
  /** The folder or a file belongs to another user. */
  | "wrong owner"
  /** Every user of the machine can read or change the folder or a file. */
  | "open to every user"
  /** The file system's locks and flushes are not as reliable as those of a local disk. */
  | "unsuitable file system"
  /** Another server has the store open. */
  | "in use"
  /** A newer release wrote the store. */
  | "newer schema"
  /** The file is not a database, or it is the database of another program. */
  | "not a store"
  /** The store or its log is damaged. */
  | "damaged"
  /** The system reports an I/O error. Whether the store is damaged is unknown until the disk can be read. */
  | "failing disk"
  /** The data key was wrapped by another root key. */
  | "wrong root key"
  /** The SQLite in better-sqlite3 is too old, or ignores a setting that durability requires. */
  | "unsuitable SQLite";

/**
 * The store can't be opened, for a reason that the operator can correct. The message names the file and says how to
 * correct it. It contains no secret value and no key.
 */
export class StoreRefused extends StartError {
  override readonly name = "StoreRefused";
  readonly refusal: StoreRefusal;

  constructor(refusal: StoreRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.refusal = refusal;
  }
}
