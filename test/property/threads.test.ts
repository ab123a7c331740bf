import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Authorizer } from "../../src/authorization/authorizer.ts";
import type { Timers } from "../../src/domain/timers.ts";
import type { Changes } from "../../src/store/changes.ts";
import type { ChangeCommand, ChangeResult } from "../../src/store/command.ts";
import type { Snapshot } from "../../src/store/reads.ts";
import type { SecretReader } from "../../src/store/secret-reader.ts";
import { Feed, type FrontPort } from "../../src/threads/feed.ts";
import type { PublicationProgress } from "../../src/threads/publication-progress.ts";
import type { Replica } from "../../src/threads/replica.ts";
import { LONG } from "../support/long-form.ts";
import type { SimulatedThread } from "../support/simulated-threads.ts";
import { complaintsOf } from "./threads-run.ts";
import { InterruptedProgress, SystemParts } from "./threads-system.ts";

const RUNS = LONG ? 5000 : 60;

/** A broken system has to fail in at least one of this number of runs. */
const CHANCES = 100;

/** Each of these happens in the runs of the correct system. Otherwise they would show little. */
const EVENTS = [
  ...["put", "copy", "delete", "undelete", "destroy", "purge", "pruned", "idle", "commit", "repeated", "rejected"],
  ...["list", "page", "batch"],
  ...["SECRET_NOT_FOUND", "VERSION_NOT_FOUND", "VERSION_DELETED", "VERSION_DESTROYED", "VERSION_MISMATCH", "DISK_FULL"],
  // Contents moved to other chunks, chunks were dropped, and bytes were kept because a front could still read them.
  ...["moved", "dropped", "kept"],
  // A read had to take publications from the port, and a decision a policy; a front waited for an announcement; a front was
  // far behind.
  ...["drained", "drained policy", "waited", "lagged"],
  // The number of publications wrapped around.
  "wrapped",
  ...["1 fronts", "8 fronts"],
];

// For any order in which threads run, with commits of any duration, rejected groups, refused operations, and fronts that
// lag, the history of all callers on all fronts is linearizable. The policies that decide the calls have the same order for
// all callers on all fronts, and each call sees the store as it was while its policy was in force.
describe("threads that follow the store", () => {
  it("answer as one linearizable store", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= RUNS; seed++) {
      assert.deepEqual(await complaintsOf(seed, seen, SystemParts), [], `seed ${seed}`);
    }
    assert.deepEqual(
      EVENTS.filter((event) => !seen.has(event)),
      [],
      "events that did not happen",
    );
  });

  for (const [fault, broken, complaint] of brokenSystems()) {
    it(`violate linearizability or fail with this fault: ${fault}`, async () => {
      for (let seed = 1; seed <= CHANCES; seed++) {
        const complaints = await complaintsOf(seed, new Set(), broken);
        if (complaints.length === 0) continue;
        assert.match(complaints.join("\n"), complaint);
        return;
      }
      assert.fail(`${CHANCES} runs found nothing`);
    });
  }
});

/** Systems with one fault each, and the complaint about it. */
function brokenSystems(): [fault: string, broken: typeof SystemParts, complaint: RegExp][] {
  return [
    [
      "reads that do not take the publications in their port first",
      class extends SystemParts {
        override frontProgress(memory: SharedArrayBuffer, front: SimulatedThread): PublicationProgress {
          return new UnreadProgress(memory, front, this);
        }
      },
      /disagrees|decided a call after/,
    ],
    [
      "a front that decides by a policy one turn after it has applied it",
      class extends SystemParts {
        override authorizer({ authorizer }: Replica, { timers }: SimulatedThread): () => Authorizer {
          let adopted = authorizer();
          return () => {
            const current = authorizer();
            timers.afterTurn(() => {
              adopted = current;
            });
            return adopted;
          };
        }
      },
      /decided a call after|decided a call that saw/,
    ],
    [
      "a call that catches up again between its decision and its read",
      class extends SystemParts {
        override snapshotOfCall(reader: SecretReader, replica: Replica): () => Snapshot {
          replica.authorizer();
          return super.snapshotOfCall(reader, replica);
        }
      },
      /decided a call that saw/,
    ],
    [
      // A number that is raised late is harmless by itself: a front processes messages in their order, and a
      // publication only after its number is raised. So it processes an answer after every publication that was sent
      // before the answer.
      "changes that are answered before their publication is sent and its number is raised",
      class extends SystemParts {
        override storePort(port: FrontPort, store: SimulatedThread): FrontPort {
          return {
            ...port,
            post: (message) =>
              message.kind === "answers" ? port.post(message) : store.timers.afterTurn(() => port.post(message)),
          };
        }
        override storeProgress(memory: SharedArrayBuffer, store: SimulatedThread): PublicationProgress {
          return new LateProgress(memory, store, this);
        }
      },
      /disagrees/,
    ],
    [
      "a front that applies a publication or policy before its number is raised",
      class extends SystemParts {
        override frontProgress(memory: SharedArrayBuffer, front: SimulatedThread): PublicationProgress {
          return new EagerProgress(memory, front, this);
        }
      },
      /disagrees|decided a call after/,
    ],
    [
      "a number that is raised before its publication is sent to all fronts",
      class extends SystemParts {
        override storePort(port: FrontPort, store: SimulatedThread): FrontPort {
          return { ...port, post: (message) => store.timers.afterTurn(() => port.post(message)) };
        }
      },
      /announced before it was sent/,
    ],
    [
      "a BatchGet that reads each secret from a snapshot of its own",
      class extends SystemParts {
        override snapshotOfCall(reader: SecretReader, { authorizer }: Replica): () => Snapshot {
          return () => {
            authorizer();
            return reader.snapshot();
          };
        }
      },
      /disagrees|decided a call that saw/,
    ],
    [
      "a Commit whose operations are separate changes",
      class extends SystemParts {
        override changes(store: Changes): Changes {
          return { change: (command) => separately(store, command) };
        }
      },
      /disagrees|should have changed|next version/,
    ],
    [
      "a store that applies each repetition of a request",
      class extends SystemParts {
        override changes(store: Changes): Changes {
          return { change: (command) => store.change({ ...command, requestId: undefined }) };
        }
      },
      /a repeated request has two answers/,
    ],
    [
      "contents that are destroyed and not overwritten before the answer",
      class extends SystemParts {
        override createFeed(ports: readonly FrontPort[], progress: PublicationProgress, timers: Timers): Feed {
          return new HastyFeed(ports, progress, timers);
        }
      },
      /is in memory after it was removed/,
    ],
    [
      "bytes that are overwritten while a front can read them",
      class extends SystemParts {
        override storeProgress(memory: SharedArrayBuffer, store: SimulatedThread): PublicationProgress {
          return new HastyProgress(memory, store, this);
        }
      },
      /can't be opened/,
    ],
  ];
}

/** Raises the number after the turn, when the changes have been answered. */
class LateProgress extends InterruptedProgress {
  readonly #store: SimulatedThread;
  #own: number;

  constructor(memory: SharedArrayBuffer, store: SimulatedThread, parts: SystemParts) {
    super(memory, store, parts);
    this.#store = store;
    this.#own = super.published;
  }

  override get published(): number {
    return this.#own;
  }

  override set published(number: number) {
    this.#own = number;
    this.#store.timers.afterTurn(() => {
      super.published = number;
    });
  }
}

/** Does not show a call that the number was raised. The front learns of it only by messages. */
class UnreadProgress extends InterruptedProgress {
  #own = super.published;

  override get published(): number {
    return this.#own;
  }

  override isPublished(number: number): boolean {
    return ((super.published - number) | 0) >= 0;
  }

  override applied(front: number, number: number): void {
    this.#own = number;
    super.applied(front, number);
  }
}

/** Treats every publication that has arrived as published. */
class EagerProgress extends InterruptedProgress {
  #own = super.published;

  override get published(): number {
    const number = super.published;
    return ((this.#own - number) | 0) > 0 ? this.#own : number;
  }

  override isPublished(): boolean {
    return true;
  }

  override applied(front: number, number: number): void {
    this.#own = number;
    super.applied(front, number);
  }
}

/** Does not wait for the fronts, nor overwrite anything, before a change is answered. */
class HastyFeed extends Feed {
  override async erased(): Promise<void> {}
}

/** Makes each operation of a command a change of its own. */
async function separately(store: Changes, { operations, requestId, ...command }: ChangeCommand): Promise<ChangeResult> {
  const answers = await Promise.all(
    operations.map((operation, i) =>
      store.change({ ...command, operations: [operation], requestId: requestId && `${i}${requestId.slice(1)}` }),
    ),
  );
  const last = answers.reduce((latest, answer) => (answer.revision > latest.revision ? answer : latest));
  return { ...last, results: answers.flatMap(({ results }) => results) };
}

/** Treats every publication as applied by all fronts. */
class HastyProgress extends InterruptedProgress {
  override isApplied(): boolean {
    return true;
  }
}
