import type { AuthorizerOptions } from "../../src/authorization/authorizer.ts";
import type { Feed } from "../../src/threads/feed.ts";
import type { SimulatedThread, Simulation } from "../support/simulated-threads.ts";

/** The decision of one call. The numbers are moments of the simulation, and the epoch of the policy. */
export interface PolicyDecision {
  readonly begin: number;
  readonly end: number;
  readonly epoch: number;
  /** The revision of the store that the call saw; undefined if it read nothing in the turn of its decision. */
  readonly revision: number | undefined;
}

/** The longest time between two policies, in milliseconds. */
const LONGEST_PAUSE_MS = 20;

/** Replaces the policy of a simulated store thread, and records what was decided by which policy. */
export class PolicyHistory {
  /** The revision of the store when each policy came into force, by its epoch. Epoch 0 denies everything. */
  readonly #since: number[] = [0];
  readonly #decisions: PolicyDecision[] = [];

  /** Begins to replace the policy, `count` times. */
  begin(simulation: Simulation, store: SimulatedThread, feed: Feed, count: number): void {
    if (count === 0) return;
    store.timers.delay(simulation.below(LONGEST_PAUSE_MS), () => {
      const inForce: AuthorizerOptions = { policy: { rules: [] }, admins: [], epoch: this.#since.length };
      this.#since.push(feed.memory.revision);
      feed.replacePolicy(inForce);
      this.begin(simulation, store, feed, count - 1);
    });
  }

  decided(decision: PolicyDecision): void {
    this.#decisions.push(decision);
  }

  /**
   * What contradicts one order of policies and changes for the whole process: a call that began after the decision of
   * another call, and was decided by an older policy; and a call that saw a change from before its policy, or from after
   * the next one.
   */
  complaints(): readonly string[] {
    return [...this.#reversals(), ...this.#decisions.flatMap((decision) => this.#misplaced(decision))];
  }

  #reversals(): string[] {
    const ended = [...this.#decisions].sort((a, b) => a.end - b.end);
    let next = 0;
    let newest = 0;
    return [...this.#decisions]
      .sort((a, b) => a.begin - b.begin)
      .flatMap(({ begin, epoch }) => {
        for (let one = ended[next]; one !== undefined && one.end < begin; one = ended[++next])
          newest = Math.max(newest, one.epoch);
        return epoch < newest ? [`policy ${epoch} decided a call after policy ${newest} had decided one`] : [];
      });
  }

  #misplaced({ epoch, revision }: PolicyDecision): string[] {
    if (revision === undefined) return [];
    const [first = 0, last = Number.POSITIVE_INFINITY] = [this.#since[epoch], this.#since[epoch + 1]];
    if (first <= revision && revision <= last) return [];
    return [
      `policy ${epoch}, in force from revision ${first} to ${last}, decided a call that saw revision ${revision}`,
    ];
  }
}
