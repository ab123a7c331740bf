import type { WatchRequest, WatchResponse, WatchedSecret } from "../contract/messages.ts";
import { type SecretEvent, type SecretSeen, secretSeen } from "./secret-events.ts";

/** From where a stream continues. */
type Bookmark = Pick<WatchRequest, "fromRevision" | "policy">;

/** The newest change of which an event has arrived. */
type Newest = Pick<WatchRequest, "seenRevision" | "timeline">;

/** What was last delivered of a secret. */
interface Sight {
  readonly version: number;
  readonly createTime: number | undefined;
  /** Two events with the same mark have the same content. */
  readonly mark: string;
  /** Whether it was delivered before a snapshot that is not complete yet. */
  isStale: boolean;
}

const BEGINNING: Bookmark = { fromRevision: 0, policy: "" };
const NOTHING_SEEN: Newest = { seenRevision: 0, timeline: "" };

/**
 * What a watch has delivered, across its streams. It turns the messages of a stream into events: it leaves out what was
 * delivered before a reconnect, and finds out what is missing in a snapshot. Its memory is proportional to the number of
 * paths; it has no values, since most programs do not keep them. For those that do, {@link NewestStates} keeps the values
 * of the events that this view lets through.
 */
export class WatchView {
  readonly #known = new Map<string, Sight>();
  readonly #onReplaced: (path: string) => void;
  #bookmark = BEGINNING;
  #newest = NOTHING_SEEN;
  /** Whether SYNCED has arrived on this stream, and no RESYNC since then. */
  #isSynced = false;

  /**
   * `onReplaced` is called when the versions of a secret are no longer those that were delivered: its numbers name other
   * versions, because the store was replaced by an older copy.
   */
  constructor(onReplaced: (path: string) => void) {
    this.#onReplaced = onReplaced;
  }

  /** Begins a stream. Returns from where it has to continue. */
  begin(): Bookmark & Newest {
    this.#isSynced = false;
    if (this.#bookmark.fromRevision === 0) this.#startOver();
    return { ...this.#bookmark, ...this.#newest };
  }

  /** Whether everything up to some revision was received on the current stream. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Whether the next stream continues from a revision. */
  get hasBookmark(): boolean {
    return this.#bookmark.fromRevision > 0;
  }

  /** Lets the next stream begin with a snapshot. */
  forgetBookmark(): void {
    this.#bookmark = BEGINNING;
  }

  /** The events for a message. */
  take({ revision, event, timeline }: WatchResponse): readonly SecretEvent[] {
    if (revision > this.#newest.seenRevision) this.#newest = { seenRevision: revision, timeline };
    switch (event?.kind) {
      case "secret":
        return this.#see(event.value, revision);
      case "revoked":
        return this.#lose(event.value.path, "revoked");
      case "resync":
        this.#isSynced = false;
        this.#startOver();
        return [];
      case "synced": {
        const { policy, readable, requested } = event.value;
        this.#advance({ fromRevision: revision, policy });
        return [...this.#sweep(), { kind: "synced", revision, readable, requested }];
      }
      case "heartbeat":
        if (this.#isSynced) this.#advance({ fromRevision: revision, ...event.value });
        return [{ kind: "heartbeat", revision }];
      case undefined:
        return [];
    }
  }

  /** Until the snapshot is complete, a stream that ends is followed by one that begins with 0. */
  #startOver(): void {
    this.#bookmark = BEGINNING;
    this.#newest = NOTHING_SEEN;
    for (const sight of this.#known.values()) sight.isStale = true;
  }

  #advance(bookmark: Bookmark): void {
    this.#isSynced = true;
    this.#bookmark = bookmark;
  }

  #see(secret: WatchedSecret, revision: number): readonly SecretEvent[] {
    const { path } = secret;
    if (secret.purged) return this.#lose(path, "purged");
    const seen = secretSeen(secret, revision);
    const mark = markOf(seen);
    const before = this.#known.get(path);
    const isNew = before?.mark !== mark;
    const { version, createTime } = seen;
    if (before !== undefined && version <= before.version && createTime !== before.createTime) this.#onReplaced(path);
    this.#known.set(path, { mark, version, createTime, isStale: false });
    if (isNew) return [seen];
    seen.content?.dispose();
    return [];
  }

  #lose(path: string, reason: "purged" | "revoked" | "vanished"): readonly SecretEvent[] {
    return this.#known.delete(path) ? [{ kind: "gone", path, reason }] : [];
  }

  #sweep(): readonly SecretEvent[] {
    const stale = [...this.#known].filter(([, { isStale }]) => isStale);
    return stale.flatMap(([path]) => this.#lose(path, "vanished"));
  }
}

/**
 * The revision alone does not identify a state: after a store was restored from an older copy, other changes get the same
 * revisions. The time of creation distinguishes their versions.
 */
function markOf({ revision, version, state, createTime, expireTime, content }: SecretSeen): string {
  return [revision, version, state, createTime, expireTime, content !== undefined].join();
}
