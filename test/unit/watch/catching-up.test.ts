import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePathPrefix } from "../../../src/domain/secret-path.ts";
import { WATCH_LIMITS } from "../../../src/watch/watch-limits.ts";
import type { WatchEvent } from "../../../src/watch/watch-event.ts";
import { WatchScope } from "../../../src/watch/watch-scope.ts";
import { Watcher } from "../../../src/watch/watcher.ts";
import { BEGINNING, WATCHING, type SecretChange, WatchWorld } from "../../support/watch-world.ts";

/** The secrets of the store, far more than the paths that wait for a watcher or the candidates of one selection. */
const SECRETS = 10_000;

/** The secrets of one commit. */
const BATCH = 1000;

/** The steps of a watcher for each event. One step finds the event, and one sends it. */
const STEPS_FOR_EVENT = 2;

/** The steps that do not depend on the number of events, such as those for SYNCED. */
const MORE_STEPS = 20;

const PATHS = Array.from({ length: SECRETS }, (_, i) => `${i % 2 === 0 ? "even" : "odd"}/${i}`);

/** The number of steps of all watchers during a task. A mock would keep millions of calls. */
function countSteps(task: () => void): number {
  const { step } = Watcher.prototype;
  let steps = 0;
  Watcher.prototype.step = function (this: Watcher) {
    steps += 1;
    return step.call(this);
  };
  try {
    task();
  } finally {
    Watcher.prototype.step = step;
  }
  return steps;
}

/** A watcher that reads only while the test lets it. */
class Reader {
  readonly events: WatchEvent[] = [];
  readonly #world: WatchWorld;
  /** How much of the budget of its caller is left, in bytes. */
  readonly #budget: number;
  #isReading = true;
  #wake = () => {};

  constructor(world: WatchWorld, { budget = Number.POSITIVE_INFINITY, revision = 0, prefix = "" } = {}) {
    this.#world = world;
    this.#budget = budget;
    const from = { ...BEGINNING, revision };
    const request = { scope: new WatchScope([], [parsePathPrefix(prefix)]), withValues: false, from };
    const caller = { id: WATCHING, connection: 1, validUntil: Number.POSITIVE_INFINITY };
    world.hub.begin(caller, request, (wake) => {
      this.#wake = wake;
      return {
        isOver: false,
        fits: () => this.#isReading,
        hold: (bytes) => bytes <= this.#budget,
        drop: () => {},
        send: (event) => void this.events.push(event),
        fail: assert.fail,
      };
    });
  }

  stop(): void {
    this.#isReading = false;
    this.events.length = 0;
  }

  /** Reads everything, and returns the number of steps that the server needs for that. */
  readAll(whileReading = () => {}): number {
    this.#isReading = true;
    this.#wake();
    return countSteps(() => {
      this.#world.turns.end();
      whileReading();
      while (this.#world.turns.end());
    });
  }

  /** The revisions of the changes that have arrived. */
  get revisions(): number[] {
    return this.events.flatMap((event) => (event.kind === "secret" || event.kind === "purged" ? event.revision : []));
  }

  count(kind: WatchEvent["kind"]): number {
    return this.events.filter((event) => event.kind === kind).length;
  }
}

function change(world: WatchWorld, kind: SecretChange, paths: readonly string[]): void {
  for (let i = 0; i < paths.length; i += BATCH) world.commit(paths.slice(i, i + BATCH).map((path) => ({ path, kind })));
}

function filled(patterns: readonly string[]): WatchWorld {
  const world = new WatchWorld(patterns, WATCH_LIMITS, false);
  change(world, "put", PATHS);
  return world;
}

function assertFewSteps(steps: number, events: number): void {
  const most = STEPS_FOR_EVENT * events + MORE_STEPS;
  assert.ok(steps <= most, `${steps} steps for ${events} events, at most ${most}`);
}

function assertAscending(revisions: readonly number[]): void {
  assert.deepEqual(
    revisions,
    [...revisions].sort((a, b) => a - b),
  );
}

// All watchers of a thread share a millisecond of each turn, so a watcher whose work grows with the square of what it has
// missed delays the others for minutes. Each property below counts steps, each of which visits at most one secret.
describe("the work of a watcher that has stopped reading grows in proportion to what it is sent", () => {
  for (const { name, budget } of [
    { name: "if its budget has space", budget: undefined },
    { name: "if its budget has no space", budget: 0 },
  ])
    it(`after every secret has changed, ${name}`, () => {
      const world = filled(["**"]);
      const reader = new Reader(world, { budget });
      assertFewSteps(reader.readAll(), SECRETS);
      reader.stop();
      change(world, "delete", PATHS.slice(0, 100));
      change(world, "purge", PATHS.slice(100, 200));
      change(world, "put", PATHS.slice(200));
      assertFewSteps(reader.readAll(), SECRETS);
      assert.equal(new Set(reader.events).size, SECRETS, "each path once");
      assertAscending(reader.revisions);
      assert.equal(reader.count("purged"), 100);
    });

  it("while secrets change", () => {
    const world = filled(["**"]);
    const reader = new Reader(world);
    reader.readAll();
    reader.stop();
    change(world, "put", PATHS);
    const again = PATHS.filter((_, i) => i % 3 === 0).reverse();
    const steps = reader.readAll(() => change(world, "put", again));
    assertFewSteps(steps, reader.revisions.length);
    assertAscending(reader.revisions);
    assert.ok(reader.revisions.length <= SECRETS + 20, "a path that changes before it is sent arrives once");
  });

  it("after a grant and a withdrawal of many secrets", () => {
    const world = filled([]);
    const reader = new Reader(world);
    reader.readAll();
    for (const { patterns, kind } of [
      { patterns: ["**"], kind: "secret" as const },
      { patterns: ["odd/**"], kind: "revoked" as const },
    ]) {
      reader.stop();
      world.setPolicy(patterns);
      const steps = reader.readAll();
      assert.equal(reader.count(kind), kind === "secret" ? SECRETS : SECRETS / 2);
      assertFewSteps(steps, SECRETS);
    }
  });

  // What changed is sent after the effect of the policy, in the order of revisions.
  it("after a policy change while many changes wait", () => {
    const world = filled(["even/**"]);
    const reader = new Reader(world);
    reader.readAll();
    reader.stop();
    change(world, "put", PATHS.slice(0, SECRETS / 2).reverse());
    world.setPolicy(["**"]);
    // All secrets are visited for the policy, and then those that have changed.
    assertFewSteps(reader.readAll(), SECRETS * 1.5);
    assert.equal(reader.count("secret"), (SECRETS * 3) / 4, "half of the even secrets has not changed");
    const synced = reader.events.findLastIndex(({ kind }) => kind === "synced");
    const later = reader.events.slice(synced).flatMap((event) => (event.kind === "secret" ? event.revision : []));
    assert.equal(later.length, SECRETS / 2);
    assertAscending(later);
  });

  // Connections end after ten minutes.
  it("after a reconnect, by what has changed or by what it watches, whichever is less", () => {
    const world = filled(["**"]);
    const { revision } = world.memory;
    change(world, "put", PATHS.slice(0, 10));
    change(world, "purge", PATHS.slice(10, 12));
    const ofAll = new Reader(world, { revision });
    assertFewSteps(ofAll.readAll(), 12);
    assert.deepEqual([ofAll.count("secret"), ofAll.count("purged"), ofAll.count("synced")], [10, 2, 1]);
    assertAscending(ofAll.revisions);
    ofAll.stop();
    change(world, "put", PATHS.slice(12));
    const ofFew = new Reader(world, { revision, prefix: "even/1234" });
    // Tombstones are visited too.
    assertFewSteps(ofFew.readAll(), 1 + 2);
    assert.deepEqual([ofFew.count("secret"), ofFew.count("synced")], [1, 1]);
  });
});
