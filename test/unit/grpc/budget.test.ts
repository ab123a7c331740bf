import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Budget, Budgets, type Lease } from "../../../src/grpc/budget.ts";
import { BudgetMemory } from "../../../src/grpc/budget-memory.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

/** Milliseconds. */
const POLL_MS = 10;

const LIMITS = { bytes: 100, unread: 8, calls: 8 };
const NOTHING = { bytes: 0, unread: 0, calls: 0 };

/** The budgets of one thread. */
function budgetsOf(minimum = NOTHING): Budgets {
  return new Budgets({ limits: LIMITS, minimum, memory: BudgetMemory.of(30, 1), timers: new ManualTimers(0) });
}

/** Opens a call in a budget, which must have space for it. */
function opened(budget: Budget): Lease {
  const lease = budget.open();
  assert.ok(lease);
  return lease;
}

/** Opens a call that requests bytes, and logs its name when it gets them. */
function requested(budget: Budget, bytes: number, log: string[], name: string): Lease {
  const lease = opened(budget);
  lease.request(bytes, () => log.push(name));
  return lease;
}

describe("a budget", () => {
  // Each later caller gets half of what the earlier ones leave, so every caller finds some space.
  it("is half of what the other callers leave free", () => {
    const budgets = budgetsOf();
    const [a, b, c] = ["a", "b", "c"].map((id) => budgets.join(id)) as [Budget, Budget, Budget];
    assert.deepEqual(
      [a, b, c].map((each) => each.limitOf("calls")),
      [4, 4, 4],
    );
    for (let i = 0; i < 4; i++) opened(a);
    assert.equal(a.open(), undefined);
    for (let i = 0; i < 2; i++) opened(b);
    assert.equal(b.open(), undefined);
    opened(c);
    assert.equal(c.open(), undefined);
    assert.equal(c.limitOf("calls"), 1);
  });

  // Otherwise a request of more than half could never be read.
  it("lets a caller that holds nothing take all that is free", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    requested(budget, 100, log, "all");
    requested(budget, 1, log, "more");
    assert.deepEqual(log, ["all"]);
    requested(budgetsOf().join("a"), 101, log, "above");
    assert.deepEqual(log, ["all"]);
  });

  // Streams that are not read hold their bytes for minutes. Another stream that waits for them must not hold back the Gets of
  // the same workload, for which there is space.
  it("grants a request the space that is too small for a stream that waits, and later wakes the stream", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    const unread = requested(budget, 40, log, "unread");
    const stream = opened(budget);
    stream.whenFits(20, () => log.push("stream"));
    const small = requested(budget, 10, log, "small");
    assert.deepEqual(log, ["unread", "small"]);
    const large = requested(budget, 50, log, "large");
    small.release();
    assert.deepEqual(log, ["unread", "small"]);
    unread.release();
    assert.deepEqual(log, ["unread", "small", "large"]);
    large.release();
    assert.deepEqual(log, ["unread", "small", "large", "stream"]);
    assert.equal(budget.limitOf("bytes"), 50);
  });

  it("does not wake a stream that is over", () => {
    const budget = budgetsOf().join("a");
    const unread = requested(budget, 50, [], "unread");
    const stream = opened(budget);
    stream.whenFits(20, () => assert.fail("a stream that is over is woken"));
    stream.release();
    unread.release();
  });

  // Without a minimum, an attacker with the SVIDs of a dozen workloads could leave nothing for any other caller.
  it("is never less than the minimum, however many others hold all that they may", () => {
    const least = { bytes: 10, unread: 1, calls: 2 };
    const budgets = budgetsOf(least);
    for (let i = 0; i < 20; i++) {
      const large = budgets.join(`large-${i}`);
      for (let lease = large.open(); lease !== undefined; lease = large.open())
        lease.request(0, () => lease?.hold("bytes", 40));
    }
    const other = budgets.join("other");
    assert.deepEqual([other.limitOf("bytes"), other.limitOf("calls")], [10, 2]);
    const log: string[] = [];
    const small = requested(other, 10, log, "small");
    requested(other, 1, log, "more");
    assert.deepEqual(log, ["small"]);
    assert.equal(other.open(), undefined);
    small.release();
    assert.deepEqual(log, ["small", "more"]);
  });

  it("belongs to a SPIFFE ID, and is removed with its last connection", () => {
    const budgets = budgetsOf();
    const first = budgets.join("a");
    assert.equal(budgets.join("a"), first);
    assert.notEqual(budgets.join("b"), first);
    assert.equal(budgets.mostConnected, first);
    budgets.leave("a");
    assert.equal(budgets.join("a"), first);
    for (let i = 0; i < 2; i++) budgets.leave("a");
    assert.notEqual(budgets.join("a"), first);
  });
});

describe("waiting requests", () => {
  it("are granted in the order of arrival", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    const first = requested(budget, 60, log, "first");
    requested(budget, 60, log, "second");
    requested(budget, 1, log, "third");
    assert.deepEqual(log, ["first"]);
    first.release();
    assert.deepEqual(log, ["first", "second"]);
  });

  // A handler reads its request as soon as it is granted, and releases the unit of "unread" that it held while it
  // waited.
  it("are granted in the order of arrival when a granted one releases a part of its budget", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    const first = requested(budget, 40, log, "first");
    for (const name of ["second", "third", "fourth"]) {
      const lease = opened(budget);
      lease.hold("unread", 1);
      lease.request(15, () => {
        lease.read();
        log.push(name);
      });
    }
    assert.deepEqual(log, ["first"]);
    first.release();
    assert.deepEqual(log, ["first", "second", "third", "fourth"]);
  });

  it("do not delay those of another SPIFFE ID", () => {
    const budgets = budgetsOf();
    const [a, b] = [budgets.join("a"), budgets.join("b")];
    const log: string[] = [];
    requested(a, 50, log, "a1");
    requested(a, 50, log, "a2");
    requested(b, 50, log, "b1");
    assert.deepEqual(log, ["a1", "b1"]);
  });

  it("are removed with their call, and the next one is granted", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    requested(budget, 40, log, "first");
    const large = requested(budget, 60, log, "large");
    requested(budget, 5, log, "small");
    large.release();
    assert.deepEqual(log, ["first", "small"]);
  });
});

// A Put is answered after its commit, and the caller may have left by then.
it("a budget does not count what a call holds after its end", () => {
  const budgets = budgetsOf();
  const lease = opened(budgets.join("a"));
  lease.release();
  lease.hold("bytes", 100);
  assert.equal(budgets.join("b").limitOf("bytes"), 50);
});

// A caller can cancel a Put that waits for the disk, and send the next one. The content of the first one is still in memory.
describe("a call whose work continues", () => {
  it("holds its bytes and its place after it was refused and closed, until the work ends", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    const put = requested(budget, 60, log, "first");
    const workEnds = put.retain();
    put.discard();
    put.release();
    requested(budget, 40, log, "second");
    assert.deepEqual(log, ["first"]);
    workEnds();
    assert.deepEqual(log, ["first", "second"]);
  });

  // The caller of an expired Put may not read its refusal, so that the stream stays open after the store has answered.
  it("holds only its place if it was refused and its work has ended", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    const put = requested(budget, 60, log, "first");
    const workEnds = put.retain();
    put.discard();
    requested(budget, 40, log, "second");
    assert.deepEqual(log, ["first"]);
    workEnds();
    assert.deepEqual(log, ["first", "second"]);
    assert.ok(put.holds("calls") && !put.holds("bytes"));
    put.release();
    assert.ok(!put.holds("calls"));
  });

  it("holds its bytes until it is closed, if its work ends before", () => {
    const budget = budgetsOf().join("a");
    const log: string[] = [];
    const put = requested(budget, 60, log, "first");
    put.retain()();
    requested(budget, 40, log, "second");
    assert.deepEqual(log, ["first"]);
    put.release();
    assert.deepEqual(log, ["first", "second"]);
  });

  // The slot of the SPIFFE ID in the shared memory must not be given to another one while its call holds something.
  it("keeps the slot of its SPIFFE ID after the last connection is closed", () => {
    const memory = BudgetMemory.of(30, 1);
    const budgets = new Budgets({ limits: LIMITS, minimum: NOTHING, memory, timers: new ManualTimers(0) });
    const { free } = memory;
    const put = opened(budgets.join("a"));
    const workEnds = put.retain();
    put.release();
    budgets.leave("a");
    assert.equal(memory.free, free - 1);
    workEnds();
    assert.equal(memory.free, free);
  });
});

// Actions of callers in any order. The numbers select a caller, a thread, and one of the caller's calls on it, if there is any.
const step = fc.record({
  act: fc.constantFrom("open", "open", "request", "request", "hold", "unread", "release", "poll"),
  caller: fc.nat(3),
  thread: fc.nat(2),
  call: fc.nat(11),
  bytes: fc.integer({ min: 1, max: 100 }),
});

interface ModelCall {
  readonly lease: Lease;
  bytes: number;
  unread: number;
  state: "new" | "waiting" | "granted" | "over";
}

/** The model of one caller on one thread: its calls, what they should hold, and its waiting requests in order. */
class ModelCaller {
  readonly budget: Budget;
  readonly calls: ModelCall[] = [];
  readonly queue: { readonly call: ModelCall; readonly bytes: number }[] = [];

  constructor(budget: Budget) {
    this.budget = budget;
  }

  get held(): number {
    return this.calls.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  open(): void {
    const lease = this.budget.open();
    if (lease !== undefined) this.calls.push({ lease, bytes: 0, unread: 0, state: "new" });
  }

  request(call: ModelCall, bytes: number): void {
    if (call.state !== "new") return;
    call.state = "waiting";
    this.queue.push({ call, bytes });
    call.lease.request(bytes, () => {
      assert.equal(this.queue.shift()?.call, call, "in the order of arrival");
      call.state = "granted";
      call.bytes += bytes;
    });
  }

  hold(call: ModelCall, bytes: number): void {
    call.lease.hold("bytes", bytes);
    if (call.state !== "over") call.bytes += bytes;
  }

  unread(call: ModelCall): void {
    if (call.state === "over") return;
    if (call.unread === 0) call.lease.hold("unread", 1);
    else call.lease.read();
    call.unread = 1 - call.unread;
  }

  release(call: ModelCall): void {
    Object.assign(call, { bytes: 0, unread: 0, state: "over" });
    this.queue.splice(0, this.queue.length, ...this.queue.filter((waiting) => waiting.call !== call));
    call.lease.release();
  }
}

// A sum that is wrong by one byte in each call leads to a server that stops reading, or to one without a limit.
for (const threads of [1, 3]) {
  const whose = threads === 1 ? "of one thread" : `of ${threads} threads`;
  it(`budgets ${whose} keep correct sums for any sequence of actions, and no request waits although it fits`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const memory = BudgetMemory.of(12, threads);
        const timers = new ManualTimers(0);
        const all = Array.from({ length: threads }, () => {
          const budgets = new Budgets({ limits: LIMITS, minimum: NOTHING, memory, timers });
          return [0, 1, 2, 3].map((n) => new ModelCaller(budgets.join(String(n))));
        });
        for (const { act, caller: n, thread, call: m, bytes } of steps) {
          const caller = all[thread % threads]![n]!;
          const call = caller.calls.at(m % Math.max(1, caller.calls.length));
          if (act === "open") caller.open();
          else if (act === "poll") timers.advance(POLL_MS);
          else if (call !== undefined) caller[act as "request" | "hold" | "unread" | "release"](call, bytes);
          check(all, act === "poll" || threads === 1);
        }
        for (const caller of all.flat()) for (const call of caller.calls) caller.release(call);
        for (const { budget, queue } of all.flat()) {
          assert.deepEqual(
            (["bytes", "unread", "calls"] as const).map((each) => budget.limitOf(each)),
            [50, 4, 4],
          );
          assert.deepEqual(queue, []);
        }
        timers.advance(POLL_MS);
        assert.deepEqual(timers.pauses, [], "nothing waits, so nothing polls");
      }),
    );
  });
}

/** Compares the sums with those of the models. `isSettled`: each thread has noticed the releases of the others. */
function check(all: readonly (readonly ModelCaller[])[], isSettled: boolean): void {
  const heldBy = (n: number) => all.reduce((sum, callers) => sum + callers[n]!.held, 0);
  const free = LIMITS.bytes - [0, 1, 2, 3].reduce((sum, n) => sum + heldBy(n), 0);
  for (const [n, { budget, queue }] of all.flatMap((callers) => [...callers.entries()])) {
    const held = heldBy(n);
    assert.equal(budget.limitOf("bytes"), Math.max(0, Math.floor((free + held) / 2)));
    const [first] = queue;
    if (first === undefined || !isSettled) continue;
    const fits = first.bytes <= free && (held === 0 || held + first.bytes <= (free + held) / 2);
    assert.ok(!fits, `${first.bytes} bytes wait, and ${free} are free`);
  }
}

describe("budgets of several threads", () => {
  const twoThreads = (timers = new ManualTimers(0), memory = BudgetMemory.of(10, 2)) => {
    const options = { limits: LIMITS, minimum: NOTHING, memory, timers };
    return { memory, timers, threads: [new Budgets(options), new Budgets(options)] as const };
  };

  it("are one budget for each SPIFFE ID", () => {
    const { threads } = twoThreads();
    const [here, there] = [threads[0].join("a"), threads[1].join("a")];
    for (let i = 0; i < 4; i++) opened(i % 2 === 0 ? here : there);
    assert.equal(here.open(), undefined);
    assert.equal(there.open(), undefined);
    assert.equal(threads[1].join("b").limitOf("calls"), 2);
  });

  it("notice a release of another thread within ten milliseconds, and set no timer when nothing waits", () => {
    const { threads, timers } = twoThreads();
    const log: string[] = [];
    const here = requested(threads[0].join("a"), 100, log, "here");
    assert.deepEqual(timers.pauses, []);
    requested(threads[1].join("b"), 10, log, "there");
    timers.advance(POLL_MS);
    assert.deepEqual(log, ["here"]);
    assert.deepEqual(timers.pauses, [POLL_MS]);
    here.release();
    assert.deepEqual(log, ["here"]);
    timers.advance(POLL_MS);
    assert.deepEqual(log, ["here", "there"]);
    assert.deepEqual(timers.pauses, []);
  });

  // A thread with too many connections closes one of this SPIFFE ID, so the SPIFFE ID must have a connection on that
  // thread.
  it("name the SPIFFE ID with the most connections in the process, among those of the thread", () => {
    const { threads } = twoThreads();
    const [first, second] = threads;
    const few = first.join("few");
    first.join("few");
    first.join("many");
    for (let i = 0; i < 3; i++) second.join("many");
    for (let i = 0; i < 4; i++) second.join("elsewhere");
    assert.equal(first.mostConnected?.connections, 4);
    assert.notEqual(first.mostConnected, few);
    for (let i = 0; i < 3; i++) second.leave("many");
    assert.equal(first.mostConnected, few);
  });

  // Otherwise the last call of a closed connection would return what it held to another SPIFFE ID.
  it("keep a slot while a call is open, and then give it to another SPIFFE ID", () => {
    const { threads, memory } = twoThreads();
    const all = memory.free;
    const budget = threads[0].join("a");
    const lease = opened(budget);
    lease.hold("bytes", 20);
    threads[0].leave("a");
    assert.equal(memory.free, all - 1);
    assert.equal(budget.open(), undefined, "the connection is closed");
    assert.equal(threads[1].join("a").limitOf("bytes"), 50);
    threads[1].leave("a");
    assert.equal(memory.free, all - 1);
    lease.release();
    assert.equal(memory.free, all);
    for (let i = 0; i < 100; i++) {
      assert.equal(threads[i % 2]!.join(`next-${i}`).limitOf("bytes"), 50);
      threads[i % 2]!.leave(`next-${i}`);
    }
    assert.equal(memory.free, all);
  });

  it("have a slot for each connection, and one for all others if there are more", () => {
    const { threads, memory } = twoThreads(new ManualTimers(0), BudgetMemory.of(4, 2));
    const ids = Array.from({ length: 10 }, (_, i) => `id-${i}`);
    const budgets = ids.map((id) => threads[0].join(id));
    assert.equal(memory.free, 0);
    opened(budgets[0]!);
    const last = opened(budgets[9]!);
    assert.deepEqual(
      [0, 5, 6, 9].map((i) => budgets[i]!.connections),
      [1, 1, 4, 4],
    );
    last.release();
    for (const id of ids.slice(1)) threads[0].leave(id);
    assert.equal(memory.free, 5);
  });

  const change = fc.record({
    act: fc.constantFrom("join", "join", "leave", "open", "release"),
    id: fc.nat(4),
    thread: fc.nat(2),
  });
  it("have the free slots and connection counts of a simple model, for any sequence of connections and calls", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
        const memory = BudgetMemory.of(150, 3);
        const all = memory.free;
        const options = { limits: LIMITS, minimum: { ...LIMITS, calls: 1000 }, memory, timers: new ManualTimers(0) };
        const threads = [0, 1, 2].map(() => ({ budgets: new Budgets(options), joined: [0, 0, 0, 0, 0] }));
        const leases: Lease[][] = [[], [], [], [], []];
        for (const { act, id, thread } of changes) {
          const { budgets, joined } = threads[thread]!;
          if (act === "release") leases[id]!.pop()?.release();
          else if (act === "join") budgets.join(String(id));
          else if (joined[id] === 0) continue;
          else if (act === "leave") budgets.leave(String(id));
          else {
            leases[id]!.push(opened(budgets.join(String(id))));
            budgets.leave(String(id));
          }
          joined[id]! += act === "join" ? 1 : act === "leave" ? -1 : 0;
          const connections = [0, 1, 2, 3, 4].map((n) => threads.reduce((sum, each) => sum + each.joined[n]!, 0));
          const used = connections.filter((count, n) => count > 0 || leases[n]!.length > 0);
          assert.equal(memory.free, all - used.length);
          for (const each of threads) {
            const most = Math.max(0, ...connections.filter((_, n) => each.joined[n]! > 0));
            assert.equal(each.budgets.mostConnected?.connections ?? 0, most);
          }
        }
      }),
    );
  });
});
