import type { Timers } from "../domain/timers.ts";
import type { Changes } from "../store/changes.ts";
import { Memory, type ReadableMemory, type WatchableMemory } from "../store/memory.ts";
import { decodeBatch } from "./batch.ts";
import type { Location } from "./change-columns.ts";
import { FollowedContents } from "./followed-contents.ts";
import type { FeedMessage, PublicationMessage } from "./port-messages.ts";
import type { Port } from "./port.ts";
import type { PublicationProgress } from "./publication-progress.ts";
import { RemoteChanges } from "./remote-changes.ts";
import type { ChangesMessage } from "./requests.ts";

// Milliseconds until a front looks again at a publication that is not announced yet. The next message and the next read
// look as well, so only a front that has neither waits for this. Looking in each turn of the event loop took a tenth of a
// front's CPU time.
const LOOK_AGAIN_MS = 5;

/** What a {@link Replica} needs. */
export interface ReplicaOptions {
  readonly port: Port<FeedMessage, ChangesMessage>;
  readonly progress: PublicationProgress;
  /** The number of this front, from 0. */
  readonly front: number;
  readonly timers: Pick<Timers, "afterTurn" | "delay">;
}

/**
 * A front's side of the store: a memory that follows that of the store thread, and what sends changes to that thread.
 */
export class Replica {
  readonly #port: Port<FeedMessage, ChangesMessage>;
  readonly #progress: PublicationProgress;
  readonly #front: number;
  readonly #contents = new FollowedContents();
  readonly #memory = new Memory<Location>(this.#contents);
  readonly #changes: RemoteChanges;
  readonly #timers: Pick<Timers, "delay">;
  /** Messages that have arrived and are not processed, in order. */
  readonly #held: FeedMessage[] = [];
  /** Whether {@link #processPublished} runs again after a delay. */
  #isWaiting = false;
  #isFollowed = () => false;
  #applied: number;

  constructor({ port, progress, front, timers }: ReplicaOptions) {
    this.#port = port;
    this.#progress = progress;
    this.#front = front;
    this.#timers = timers;
    this.#applied = progress.appliedBy(front);
    this.#changes = new RemoteChanges((message, transfer) => port.post(message, transfer), timers);
    port.onMessage((message) => this.#receive(message));
  }

  get memory(): ReadableMemory & WatchableMemory {
    return this.#memory;
  }

  get changes(): Changes {
    return this.#changes;
  }

  /**
   * Applies every publication with a change that was answered before this call, on whichever front. Call it before each
   * read. It usually costs one atomic load.
   */
  readonly catchUp = (): void => {
    const { published } = this.#progress;
    while (this.#applied !== published) this.#process(this.#held.shift() ?? this.#arrived());
  };

  #arrived(): FeedMessage {
    const message = this.#port.receive();
    if (message === undefined) throw new Error("a publication was announced before it was sent");
    return message;
  }

  #receive(message: FeedMessage): void {
    this.#held.push(message);
    this.#processPublished();
  }

  /**
   * Processes what has arrived, up to a publication that has not been announced. The store thread announces a
   * publication by storing its number in shared memory. If a publication were visible here before that, a caller could
   * see its changes here, and then not see them on a front that has not received it.
   */
  #processPublished(): void {
    for (let [first] = this.#held; first !== undefined; [first] = this.#held) {
      if (first.kind === "publication" && !this.#progress.isPublished(first.number)) {
        this.#lookAgain();
        return;
      }
      this.#held.shift();
      this.#process(first);
    }
  }

  /** Applies publications without delay as long as `isFollowed` returns true: something waits for each of them. */
  followPromptly(isFollowed: () => boolean): void {
    this.#isFollowed = isFollowed;
  }

  #lookAgain(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const look = () => {
      this.#isWaiting = false;
      this.#processPublished();
    };
    // The number is usually raised some microseconds later. A timer would delay each event by milliseconds.
    if (this.#isFollowed()) this.#progress.onceChanged(this.#applied, look);
    else this.#timers.delay(LOOK_AGAIN_MS, look);
  }

  #process(message: FeedMessage): void {
    if (message.kind === "answers") this.#changes.answered(message);
    else this.#apply(message);
  }

  #apply({ number, batch, chunks }: PublicationMessage): void {
    if (chunks !== undefined) this.#contents.create(chunks);
    this.#memory.publish(decodeBatch(batch));
    if (chunks !== undefined) this.#contents.rearrange(chunks);
    this.#applied = number;
    this.#progress.applied(this.#front, number);
  }
}
