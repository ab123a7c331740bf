import { MAX_LABELS, MAX_REQUEST_FIELDS } from "./limits.ts";
import { type StringEntry, stringMap } from "./map-field.ts";
import { bool, enumeration, int32, message, string, uint32, uint64 } from "./message.ts";
import { repeated, repeatedString } from "./repeated-fields.ts";
import { timestamp } from "./time-fields.ts";

/** Requests one page. `pageSize` can be 0, too large or negative; the service handles these values. */
export interface ListRequest {
  readonly prefix: string;
  readonly pageSize: number;
  readonly pageToken: string;
  /** Empty, or "/". */
  readonly delimiter: string;
  readonly labels: readonly StringEntry[];
  readonly showDeleted: boolean;
}

/** ListRequest on the wire. */
export const listRequest = message<ListRequest>(
  {
    prefix: string(1, "prefix"),
    pageSize: int32(2, "page_size"),
    pageToken: string(3, "page_token"),
    delimiter: string(4, "delimiter"),
    labels: stringMap(5, "labels", MAX_LABELS),
    showDeleted: bool(6, "show_deleted"),
  },
  MAX_REQUEST_FIELDS,
);

/** One secret of a page. A caller that may list the secret but not describe it gets its path only. */
export interface ListEntry {
  /** The path of the secret. */
  readonly path: string;
  /** The number of its newest version; 0 if the caller may not describe the secret, or if it has no version. */
  readonly latestVersion: number;
  /** When it was last changed, in milliseconds since the epoch; undefined if the caller may not describe it. */
  readonly updateTime: number | undefined;
  /** Its labels; empty if the caller may not describe it. */
  readonly labels: readonly StringEntry[];
  /**
   * The state of its newest version: a number of VersionState, or one that a newer release added. Unspecified if the
   * caller may not describe the secret, or if it has no version.
   */
  readonly state: number;
}

/** ListEntry on the wire. */
export const listEntry = message<ListEntry>({
  path: string(1, "path"),
  latestVersion: uint32(2, "latest_version"),
  updateTime: timestamp(3, "update_time"),
  labels: stringMap(4, "labels"),
  state: enumeration(5, "state"),
});

/** One page in path order. The token of the last page is empty. */
export interface ListResponse {
  readonly entries: readonly ListEntry[];
  readonly nextPageToken: string;
  /** With a delimiter: the folders, which are the beginnings of paths up to and including the delimiter. */
  readonly prefixes: readonly string[];
  readonly storeRevision: number;
}

/** ListResponse on the wire. */
export const listResponse = message<ListResponse>({
  entries: repeated(1, "entries", listEntry),
  nextPageToken: string(2, "next_page_token"),
  prefixes: repeatedString(3, "prefixes"),
  storeRevision: uint64(4, "store_revision"),
});
