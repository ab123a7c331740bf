import { StartError } from "../domain/start-refused.ts";

/** Why a data folder or a database is not used. */
export type StoreRefusal =
  /** The data folder can't be created, read or written. */
  | "not accessible"
  /** Something that must be a folder or a file of its own is a link, or something else. */
  | "wrong kind"
  /** It belongs to another user. */
  | "wrong owner"
  /** Everybody on the machine may read or change it. */
  | "open to everybody"
  /** Its locks and flushes are not those of a local disk. */
  | "unsuitable file system"
  /** Another server has it open. */
  | "in use"
  /** A newer release wrote it. */
  | "newer schema"
  /** It is no database, or one of another program. */
  | "not a store"
  /** It contradicts itself. */
  | "damaged"
  /** The system reports an error of the disk. Whether anything is damaged can't be told before the disk is read. */
  | "failing disk"
  /** Its data key was wrapped by another root key. */
  | "wrong root key"
  /** The SQLite that was built in is too old, or does not take a setting that durability depends on. */
  | "unsuitable SQLite";

/**
 * The store can't be opened, for a reason that the operator can mend: the message names the file and says how. No
 * content and no key is in it.
 */
export class StoreRefused extends StartError {
  override readonly name = "StoreRefused";
  readonly refusal: StoreRefusal;

  constructor(refusal: StoreRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.refusal = refusal;
  }
}
