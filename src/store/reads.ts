import type { Content } from "../domain/content.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Revision } from "./revision.ts";
import type { ListPage, ListQuery } from "./listing.ts";
import type { StoredSecret, Version } from "./secret.ts";

/**
 * Where reads come from: the memory of this thread. The authorization of a call brings it up to date, so a call reads in
 * the turn of the event loop in which it was authorized.
 */
export interface Reads {
  snapshot(): Snapshot;
  /**
   * One page of secrets. Other calls are served while it is found. Rejects with DEADLINE_EXCEEDED once `isOver` returns
   * true because the caller no longer waits.
   */
  list(query: ListQuery, isOver: () => boolean): Promise<ListPage>;
}

/**
 * The secrets as of one revision and one time. It is valid in the turn of the event loop in which it was taken: later,
 * the memory can have changed.
 */
export interface Snapshot {
  readonly revision: Revision;
  /** Milliseconds since the epoch by the store's clock. It decides which versions have expired. */
  readonly time: number;
  /** The secret with all its versions, still sealed. It can have no version. Throws SECRET_NOT_FOUND. */
  secret(path: SecretPath): StoredSecret;
  /**
   * A version that can be read; 0 is the newest. Throws SECRET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_DELETED,
   * VERSION_DESTROYED or VERSION_EXPIRED.
   */
  version(path: SecretPath, number: number): Version;
  /** Decrypts a version of this snapshot. Throws CONTENT_UNREADABLE. */
  open(path: SecretPath, version: Version): Content;
}
