import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Budget, Budgets, type Lease } from "../../../src/grpc/budget.ts";

const LIMITS = { bytes: 100, unread: 8, calls: 8 };
const NOTHING = { bytes: 0, unread: 0, calls: 0 };

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
    const budgets = new Budgets(LIMITS, NOTHING);
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
    const budget = new Budgets(LIMITS, NOTHING).join("a");
    const log: string[] = [];
    requested(budget, 100, log, "all");
    requested(budget, 1, log, "more");
    assert.deepEqual(log, ["all"]);
    requested(new Budgets(LIMITS, NOTHING).join("a"), 101, log, "above");
    assert.deepEqual(log, ["all"]);
  });

  // Without a minimum, an attacker with the SVIDs of a dozen workloads could leave nothing for any other caller.
  it("is never less than the minimum, however many others hold all that they may", () => {
    const least = { bytes: 10, unread: 1, calls: 2 };
    const budgets = new Budgets(LIMITS, least);
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
    const budgets = new Budgets(LIMITS, NOTHING);
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
    const budget = new Budgets(LIMITS, NOTHING).join("a");
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
    const budget = new Budgets(LIMITS, NOTHING).join("a");
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
    const budgets = new Budgets(LIMITS, NOTHING);
    const [a, b] = [budgets.join("a"), budgets.join("b")];
    const log: string[] = [];
    requested(a, 50, log, "a1");
    requested(a, 50, log, "a2");
    requested(b, 50, log, "b1");
    assert.deepEqual(log, ["a1", "b1"]);
  });

  it("are removed with their call, and the next one is granted", () => {
    const budget = new Budgets(LIMITS, NOTHING).join("a");
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
  const budgets = new Budgets(LIMITS, NOTHING);
  const lease = opened(budgets.join("a"));
  lease.release();
  lease.hold("bytes", 100);
  assert.equal(budgets.join("b").limitOf("bytes"), 50);
});

// Actions of callers in any order. The numbers select a caller and one of its calls, if it has any.
const step = fc.record({
  act: fc.constantFrom("open", "open", "request", "request", "hold", "unread", "release"),
  caller: fc.nat(3),
  call: fc.nat(11),
  bytes: fc.integer({ min: 1, max: 100 }),
});

interface ModelCall {
  readonly lease: Lease;
  bytes: number;
  unread: number;
  state: "new" | "waiting" | "granted" | "over";
}

/** The model of one caller: its calls, what they should hold, and its waiting requests in order. */
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
it("budgets keep correct sums for any sequence of actions, and no request waits although it fits", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const budgets = new Budgets(LIMITS, NOTHING);
      const callers = [0, 1, 2, 3].map((n) => new ModelCaller(budgets.join(String(n))));
      for (const { act, caller: n, call: m, bytes } of steps) {
        const caller = callers[n]!;
        const call = caller.calls.at(m % Math.max(1, caller.calls.length));
        if (act === "open") caller.open();
        else if (call !== undefined) caller[act as "request" | "hold" | "unread" | "release"](call, bytes);
        check(callers);
      }
      for (const caller of callers) for (const call of caller.calls) caller.release(call);
      for (const { budget, queue } of callers) {
        assert.deepEqual(
          (["bytes", "unread", "calls"] as const).map((each) => budget.limitOf(each)),
          [50, 4, 4],
        );
        assert.deepEqual(queue, []);
      }
    }),
  );
});

function check(callers: readonly ModelCaller[]): void {
  const free = LIMITS.bytes - callers.reduce((sum, { held }) => sum + held, 0);
  for (const { budget, held, queue } of callers) {
    assert.equal(budget.limitOf("bytes"), Math.max(0, Math.floor((free + held) / 2)));
    const [first] = queue;
    if (first === undefined) continue;
    const fits = first.bytes <= free && (held === 0 || held + first.bytes <= (free + held) / 2);
    assert.ok(!fits, `${first.bytes} bytes wait, and ${free} are free`);
  }
}
