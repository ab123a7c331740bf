import type { CommittedEntry } from "../store/journal.ts";
import type { TimelineStart } from "../store/timelines.ts";
import { type Location, readChange, writeChange } from "./change-columns.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";

/**
 * The chunk number of a content that a later change of the same publication has pruned, destroyed or purged. It is never
 * read.
 */
export const REMOVED = -1;

/**
 * Encodes entries whose contents are in shared memory. Their remembered requests are left out: only the store thread
 * uses them.
 */
export function encodeBatch(entries: readonly CommittedEntry<Location>[]): Columns {
  const writer = new ColumnWriter();
  for (const { revision, changes, forgotten = 0, timeline } of entries) {
    writer.number(revision);
    writer.number(forgotten);
    writer.list(timeline === undefined ? [] : [timeline], writeTimeline);
    writer.list(changes, writeChange);
  }
  return writer.end();
}

/** Decodes a batch. */
export function decodeBatch(batch: Columns): CommittedEntry<Location>[] {
  const reader = new ColumnReader(batch);
  const entries: CommittedEntry<Location>[] = [];
  while (!reader.isOver) {
    const [revision, forgotten, [timeline]] = [reader.number(), reader.number(), reader.list(readTimeline)];
    entries.push({ revision, changes: reader.list(readChange), requests: undefined, forgotten, timeline });
  }
  return entries;
}

function writeTimeline(writer: ColumnWriter, { first, id }: TimelineStart): void {
  writer.number(first);
  writer.text(id);
}

function readTimeline(reader: ColumnReader): TimelineStart {
  return { first: reader.number(), id: reader.text() };
}
