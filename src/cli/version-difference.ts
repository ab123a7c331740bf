import type { ContentEntry } from "../domain/content.ts";

/** How a key differs between two versions. */
export interface KeyDifference {
  readonly key: string;
  readonly change: "added" | "removed" | "changed";
  /** Undefined if the older version does not have the key. */
  readonly before: ContentEntry | undefined;
  /** Undefined if the newer version does not have the key. */
  readonly after: ContentEntry | undefined;
}

/** The keys that differ between two contents, ascending. Text and binary data with the same bytes differ. */
export function differencesOf(
  before: readonly ContentEntry[],
  after: readonly ContentEntry[],
): readonly KeyDifference[] {
  const [older, newer] = [byKey(before), byKey(after)];
  const keys = [...new Set([...older.keys(), ...newer.keys()])].sort();
  return keys.flatMap((key) => differenceOf(key, older.get(key), newer.get(key)));
}

function byKey(entries: readonly ContentEntry[]): ReadonlyMap<string, ContentEntry> {
  return new Map(entries.map((entry) => [entry.key, entry]));
}

function differenceOf(
  key: string,
  before: ContentEntry | undefined,
  after: ContentEntry | undefined,
): readonly KeyDifference[] {
  if (before === undefined) return [{ key, change: "added", before, after }];
  if (after === undefined) return [{ key, change: "removed", before, after }];
  const isSame = before.kind === after.kind && Buffer.from(before.value).equals(after.value);
  return isSame ? [] : [{ key, change: "changed", before, after }];
}
