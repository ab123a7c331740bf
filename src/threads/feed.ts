import type { AuthorizerOptions } from "../authorization/authorizer.ts";
import type { Timers } from "../domain/timers.ts";
import type { Changes } from "../store/changes.ts";
import type { CommittedEntry } from "../store/journal.ts";
import { Memory } from "../store/memory.ts";
import type { Publication } from "../store/publication.ts";
import { SealedMemory } from "../store/sealed-memory.ts";
import { findVersion } from "../store/secret.ts";
import type { Change, PutChange } from "../store/change.ts";
import { REMOVED, encodeBatch } from "./batch.ts";
import type { Location } from "./change-columns.ts";
import { ChangeServer } from "./change-server.ts";
import { policyMessage } from "./policy-message.ts";
import type { FeedMessage, NumberedMessage } from "./port-messages.ts";
import type { Port } from "./port.ts";
import { type PublicationProgress, next } from "./publication-progress.ts";
import type { ChangesMessage } from "./requests.ts";
import { SharedChunks } from "./shared-chunks.ts";

/** The store thread's end of the channel to a front. */
export type FrontPort = Port<ChangesMessage, FeedMessage>;

// How many publications a front may be behind while the store is loaded. Each has about a thousand entries.
const MOST_LAG = 32;

// Milliseconds between two looks at the progress of the fronts, while something waits for it.
const LOOK_MS = 5;

// As LOOK_MS, while a caller waits for the progress. Fronts usually apply a publication in a part of a millisecond.
const LOOK_FOR_CALLER_MS = 1;

/**
 * The store thread's side of the fronts' memories. It publishes to the memory of the store thread and to every front, in
 * the same order, and serves the changes that the fronts request. Policies are part of this order.
 *
 * A change is visible to each read that begins after its answer, on whichever front, because of the order of three steps:
 * the publication is posted to all fronts, then its number is raised, then the change is answered. A policy is posted to
 * all fronts before its number is raised, and no front uses it before that. So after the first decision by a policy, no
 * front decides by an older one.
 */
export class Feed implements Publication {
  readonly #chunks = new SharedChunks();
  readonly #sealed = new SealedMemory(this.#chunks);
  readonly memory: Memory;
  readonly #ports: readonly FrontPort[];
  readonly #progress: PublicationProgress;
  readonly #timers: Timers;
  #servers: readonly ChangeServer[] = [];
  #isOverwriting = false;
  #isClosed = false;

  constructor(ports: readonly FrontPort[], progress: PublicationProgress, timers: Timers) {
    this.#ports = ports;
    // The number of memories with the same secrets: the one of this thread, and a replica for each front.
    this.memory = new Memory(this.#sealed, ports.length + 1);
    this.#progress = progress;
    this.#timers = timers;
  }

  publish(entries: readonly CommittedEntry[]): void {
    if (entries.length === 0) return;
    this.memory.publish(entries);
    const number = next(this.#progress.published);
    const chunks = this.#chunks.take(number);
    const batch = encodeBatch(entries.map((entry) => this.#located(entry)));
    this.#announce({ kind: "publication", number, batch, chunks });
    this.#overwriteSoon();
  }

  /** Replaces the policy of all fronts. */
  replacePolicy(inForce: AuthorizerOptions): void {
    const number = next(this.#progress.published);
    this.#announce({ kind: "policy", number, policy: policyMessage(inForce) });
  }

  async ready(): Promise<void> {
    while (this.#progress.lag > MOST_LAG) await this.#pause(LOOK_MS);
  }

  async erased(): Promise<void> {
    const { published } = this.#progress;
    while (!this.#isClosed && !this.#progress.isApplied(published)) await this.#pause(LOOK_FOR_CALLER_MS);
    this.#overwrite();
  }

  /** Begins to serve the changes that the fronts request. */
  serve(changes: Changes): void {
    this.#servers = this.#ports.map((port) => new ChangeServer(port, changes));
  }

  /** Takes the changes that have arrived from the fronts, and no later ones. Call it when the fronts have ended. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const server of this.#servers) server.close();
    this.#overwrite();
  }

  #announce(message: NumberedMessage): void {
    for (const port of this.#ports) port.post(message);
    this.#progress.published = message.number;
  }

  #located({ changes, ...entry }: CommittedEntry): CommittedEntry<Location> {
    return { ...entry, changes: changes.map((change) => this.#locatedChange(change)), requests: undefined };
  }

  #locatedChange(change: Change): Change<Location> {
    return change.kind === "put" ? { ...change, sealed: this.#locationOf(change) } : change;
  }

  #locationOf({ path, version, sealed: { length } }: PutChange): Location {
    const stored = this.memory.get(path);
    const added = stored?.kind === "secret" ? findVersion(stored, version) : undefined;
    const place = added && added.sealed.length > 0 ? this.#sealed.placeOf(added.sealed) : undefined;
    return place === undefined ? { chunk: REMOVED, at: 0, length } : this.#chunks.locate(place, length);
  }

  /** Overwrites discarded bytes as soon as every front has applied the publication that discarded them. */
  #overwriteSoon(): void {
    if (this.#isClosed || this.#isOverwriting || !this.#chunks.hasDiscarded) return;
    this.#isOverwriting = true;
    this.#timers.delay(LOOK_MS, () => {
      this.#isOverwriting = false;
      if (this.#isClosed) return;
      this.#overwrite();
      this.#overwriteSoon();
    });
  }

  /** Overwrites the discarded bytes that no front reads any more. A feed is closed when no front runs. */
  #overwrite(): void {
    this.#chunks.overwrite((number) => this.#isClosed || this.#progress.isApplied(number));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#timers.delay(ms, resolve));
  }
}
