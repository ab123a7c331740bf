import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import fc from "fast-check";
import { EventQueue } from "../../src/client/event-queue.ts";
import { WatchView } from "../../src/client/watch-view.ts";
import { LONG } from "../support/long-form.ts";
import { SimulatedWatch, type StreamFault } from "../support/simulated-watch.ts";
import type { Watched } from "../support/watch-client.ts";
import { type SecretChange, WatchWorld } from "../support/watch-world.ts";

const path = fc.constantFrom("a", "a/b", "a/c", "ab", "b/x", "b/y");

const change = fc.record({
  path,
  kind: fc.constantFrom<SecretChange>("put", "put", "put", "delete", "undelete", "destroy", "purge", "settings"),
});

const policy = fc.constantFrom<readonly string[]>(["**"], ["**"], ["a/**"], ["b/**", "a/b"], []);

const watched: fc.Arbitrary<Watched> = fc.constantFrom(
  { paths: [], prefixes: [""] },
  { paths: ["a/b", "ab"], prefixes: ["b/"] },
);

type Message = Parameters<WatchView["take"]>[0];

type Step = (world: WatchWorld, watch: SimulatedWatch) => void | Promise<void>;

/** A weighted arbitrary of steps. */
function steps<Value>(weight: number, values: fc.Arbitrary<Value>, stepOf: (value: Value) => Step) {
  return { weight, arbitrary: values.map(stepOf) };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  steps(8, fc.array(change, { minLength: 1, maxLength: 3 }), (all) => (world) => world.commit(all)),
  steps(2, policy, (patterns) => (world) => world.setPolicy(patterns)),
  steps(8, fc.nat({ max: 12 }), (count) => (_world, watch) => watch.take(count)),
  steps(4, fc.constantFrom<StreamFault>("broken", "shutting down", "replaced"), (fault) => (_world, watch) => {
    watch.interrupt(fault);
  }),
  steps(3, fc.constantFrom(100, 5000, 60_000), (ms) => (_world, watch) => watch.advance(ms)),
  steps(2, fc.constant(undefined), () => (world) => world.forget()),
  steps(2, fc.constant(undefined), () => (world) => world.turns.beat()),
  steps(1, fc.constant(undefined), () => (world, watch) => {
    watch.lose();
    world.restart();
  }),
  steps(1, fc.constant(undefined), () => (world) => world.backUp()),
  steps(1, fc.constant(undefined), () => (world, watch) => {
    watch.lose();
    world.restore();
  }),
);

const property = fc.asyncProperty(policy, watched, fc.array(step, { maxLength: 50, size: "max" }), async (...run) => {
  const [first, what, all] = run;
  const world = new WatchWorld(first);
  world.commit([{ path: "a", kind: "put" }]);
  const watch = new SimulatedWatch(world, what);
  for (const each of all) await each(world, watch);
  await watch.settle();
  // A consumer that is caught up gets the next change.
  world.commit([{ path: "a/b", kind: "put" }]);
  await watch.settle();
  await watch.close();
});

describe("the consumer of a watch", () => {
  // The server is the real one, and the network is simulated. Whatever changes, whenever streams end, however slowly the
  // consumer reads, and also if the store is replaced by an older copy of itself, it finally knows the newest states of
  // what it may see. It gets no state twice, and none older than the one before.
  it("knows the newest states, and gets each of them once and in order", async () => {
    await fc.assert(property, { numRuns: LONG ? 20_000 : 300 });
  });

  // A simulation that finds no fault in a faulty client would prove nothing.
  const faults: [name: string, make: () => void][] = [
    [
      "what is missing in a snapshot stays",
      () => {
        const { take } = WatchView.prototype;
        mock.method(WatchView.prototype, "take", function (this: WatchView, message: Message) {
          return take.call(this, message).filter((event) => event.kind !== "gone" || event.reason !== "vanished");
        });
      },
    ],
    [
      "RESYNC is not noticed",
      () => {
        const { take } = WatchView.prototype;
        mock.method(WatchView.prototype, "take", function (this: WatchView, message: Message) {
          return message.event?.kind === "resync" ? [] : take.call(this, message);
        });
      },
    ],
    [
      "events are delivered again after a reconnect",
      () => {
        const { take } = WatchView.prototype;
        let createTime = 0;
        mock.method(WatchView.prototype, "take", function (this: WatchView, message: Message) {
          const { event } = message;
          if (event?.kind !== "secret") return take.call(this, message);
          createTime += 1;
          return take.call(this, { ...message, event: { kind: "secret", value: { ...event.value, createTime } } });
        });
      },
    ],
    [
      "the timeline is not remembered",
      () => {
        const { begin } = WatchView.prototype;
        mock.method(WatchView.prototype, "begin", function (this: WatchView) {
          return { ...begin.call(this), timeline: "" };
        });
      },
    ],
    [
      "an event is lost in the queue",
      () => {
        const { push } = EventQueue.prototype;
        let count = 0;
        mock.method(EventQueue.prototype, "push", function (this: EventQueue<never>, item: never) {
          count += 1;
          return count % 7 === 0 || push.call(this, item);
        });
      },
    ],
  ];
  for (const [name, make] of faults) {
    it(`(control) fails with this fault: ${name}`, async () => {
      make();
      try {
        const { failed } = await fc.check(property, { numRuns: 2000, endOnFailure: true });
        assert.ok(failed, "the simulation finds the fault");
      } finally {
        mock.restoreAll();
      }
    });
  }
});
