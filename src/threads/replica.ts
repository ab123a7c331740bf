import { Authorizer } from "../authorization/authorizer.ts";
import type { Timers } from "../domain/timers.ts";
import type { Changes } from "../store/changes.ts";
import { Memory, type ReadableMemory, type WatchableMemory } from "../store/memory.ts";
import { decodeBatch } from "./batch.ts";
import type { Location } from "./change-columns.ts";
import { FollowedContents } from "./followed-contents.ts";
import { type PolicyMessage, authorizerOf } from "./policy-message.ts";
import type { FeedMessage, NumberedMessage, PublicationMessage } from "./port-messages.ts";
import type { Port } from "./port.ts";
import type { PublicationProgress } from "./publication-progress.ts";
import { RemoteChanges } from "./remote-changes.ts";
import type { ChangesMessage } from "./requests.ts";

// Milliseconds until a front looks again at a publication that is not announced yet. The next message and the next read
// look as well, so only a front that has neither waits for this. Looking in each turn of the event loop took a tenth of a
// front's CPU time.
const LOOK_AGAIN_MS = 5;

/** Denies every call until the store thread has sent the policy. It does so before the front is opened. */
const NO_POLICY = new Authorizer({ policy: { rules: [] }, admins: [], epoch: 0 });

/** What a {@link Replica} needs. */
export interface ReplicaOptions {
  readonly port: Port<FeedMessage, ChangesMessage>;
  readonly progress: PublicationProgress;
  /** The number of this front, from 0. */
  readonly front: number;
  readonly timers: Pick<Timers, "afterTurn" | "delay">;
}

/**
 * A front's side of the store: a memory and an authorizer that follow those of the store thread, and what sends changes to
 * that thread.
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
  #authorizer = NO_POLICY;
  #onPolicy = () => {};

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
   * Returns the authorizer of the policy in force, after this front has applied every policy that has decided anything,
   * and every change that was answered, on whichever front. A call begins with it, and reads the memory in the same turn
   * of the event loop. If the front caught up once more between the decision and the read, a caller whose permission was
   * withdrawn could read a value that was written after that. It usually costs one atomic load.
   */
  readonly authorizer = (): Authorizer => {
    const { published } = this.#progress;
    while (this.#applied !== published) this.#process(this.#held.shift() ?? this.#arrived());
    return this.#authorizer;
  };

  /** Calls `listener` after each change of the policy. Call it once. */
  onPolicy(listener: () => void): void {
    this.#onPolicy = listener;
  }

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
   * Processes what has arrived, up to a publication or policy that has not been announced. The store thread announces it
   * by storing its number in shared memory. If a publication were visible here before that, a caller could see its changes
   * here, and then not see them on a front that has not received it. The same applies to the decisions of a policy.
   */
  #processPublished(): void {
    for (let [first] = this.#held; first !== undefined; [first] = this.#held) {
      if (first.kind !== "answers" && !this.#progress.isPublished(first.number)) {
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

  #apply(message: NumberedMessage): void {
    if (message.kind === "policy") this.#replacePolicy(message.policy);
    else this.#publish(message);
    this.#applied = message.number;
    this.#progress.applied(this.#front, message.number);
  }

  #publish({ batch, chunks }: PublicationMessage): void {
    if (chunks !== undefined) this.#contents.create(chunks);
    this.#memory.publish(decodeBatch(batch));
    if (chunks !== undefined) this.#contents.rearrange(chunks);
  }

  #replacePolicy(policy: PolicyMessage): void {
    this.#authorizer = authorizerOf(policy);
    this.#onPolicy();
  }
}
