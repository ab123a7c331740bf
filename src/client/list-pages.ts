import type { ListEntry, ListResponse } from "../contract/messages.ts";

/** A secret in a listing. A caller that may list it but not describe it gets only its path. */
export interface ListingEntry {
  /** Always "secret". */
  readonly kind: "secret";
  /** The path of the secret. */
  readonly path: string;
  /** The number of its newest version; 0 if the caller may not describe the secret, or if it has no version. */
  readonly latestVersion: number;
  /** When it was last changed, in milliseconds since the epoch; undefined if the caller may not describe it. */
  readonly updateTime: number | undefined;
  /** Its labels by key; empty if the caller may not describe it. */
  readonly labels: Readonly<Record<string, string>>;
  /**
   * The state of its newest version: a number of {@link VersionState}, or one that a newer release added. Unspecified if
   * the caller may not describe the secret, or if it has no version.
   */
  readonly state: number;
}

/** The beginning of paths in a listing with a delimiter, like a folder. */
export interface ListingPrefix {
  /** Always "prefix". */
  readonly kind: "prefix";
  /** The common beginning of the paths, up to and including the delimiter. */
  readonly prefix: string;
}

/** One page of a listing. */
export interface ListingPage {
  /** The secrets of the page, ascending by path. */
  readonly entries: readonly ListingEntry[];
  /** The prefixes of the page, ascending; empty without a delimiter. */
  readonly prefixes: readonly string[];
  /** The option `pageToken` of a listing that continues after this page; empty if this is the last page. */
  readonly nextPageToken: string;
  /** The revision of the store at which this page was made. */
  readonly storeRevision: number;
}

/** Reads the response to a List. */
export function readPage({ entries, ...page }: ListResponse): ListingPage {
  return { ...page, entries: entries.map(readEntry) };
}

function readEntry({ labels, ...entry }: ListEntry): ListingEntry {
  return { kind: "secret", ...entry, labels: Object.fromEntries(labels) };
}

/** The secrets and prefixes of a page, in the order of paths. */
export function inPathOrder({ entries, prefixes }: ListingPage): readonly (ListingEntry | ListingPrefix)[] {
  const listed = prefixes.map((prefix) => ({ kind: "prefix", prefix }) as const);
  return [...entries, ...listed].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Paths are ASCII, so the order of JavaScript's strings is that of their bytes. */
function nameOf(item: ListingEntry | ListingPrefix): string {
  return item.kind === "secret" ? item.path : item.prefix;
}
