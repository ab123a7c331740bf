import type Database from "better-sqlite3";
import type { RandomFill } from "../sealing/random.ts";
import type { Revision } from "../store/revision.ts";
import type { TimelineId, TimelineStart } from "../store/timelines.ts";
import { hasTimelines } from "./schema.ts";

const TIMELINE_ID_BYTES = 16;

/** How many timelines a store keeps. A watcher that continues from an older one gets a snapshot. */
export const MAX_TIMELINES = 1000;

/**
 * The timelines of a database, ascending. The first timeline of a store has the id of the store. So it has the same id
 * before and after the migration of a store of an older release, which has no row of it.
 */
export function storedTimelines(db: Database.Database): readonly TimelineStart[] {
  const query = hasTimelines(db)
    ? "SELECT first_revision AS first, timeline_id AS id FROM timelines ORDER BY first_revision"
    : "SELECT 0 AS first, store_id AS id FROM identity";
  const rows = db.prepare<[], { first: Revision; id: Buffer }>(query).all();
  return rows.map(({ first, id }) => ({ first, id: textOf(id) }));
}

/**
 * The timeline of this process, which begins with its first commit. A process that commits nothing has none: the store is
 * then still the one that the last timeline describes.
 */
export class OwnTimeline {
  readonly #insert: Database.Statement<[Revision, Buffer]>;
  readonly #trim: Database.Statement<[]>;
  readonly #id: Buffer;
  #hasBegun = false;

  constructor(db: Database.Database, random: RandomFill) {
    this.#id = newTimeline(random);
    this.#insert = db.prepare("INSERT INTO timelines (first_revision, timeline_id) VALUES (?, ?)");
    this.#trim = db.prepare(
      `DELETE FROM timelines WHERE first_revision NOT IN
         (SELECT first_revision FROM timelines ORDER BY first_revision DESC LIMIT ${MAX_TIMELINES})`,
    );
  }

  /** Whether a commit of this process has written the timeline. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /**
   * Call it within every transaction that has an entry, with the last revision before it. If the timeline begins with this
   * transaction, writes and returns it.
   */
  write(last: Revision): TimelineStart | undefined {
    if (this.#hasBegun) return undefined;
    const first = last + 1;
    this.#insert.run(first, this.#id);
    this.#trim.run();
    return { first, id: textOf(this.#id) };
  }

  /** Call it when the transaction is durable. */
  committed(): void {
    this.#hasBegun = true;
  }
}

/** The id of a new timeline. */
export function newTimeline(random: RandomFill): Buffer {
  const id = Buffer.alloc(TIMELINE_ID_BYTES);
  random(id);
  return id;
}

/** The text of an id in the API. */
export function textOf(id: Buffer): TimelineId {
  return id.toString("base64url");
}
