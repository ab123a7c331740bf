import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FrontControl } from "../../../src/front/front-control.ts";
import { Fronts } from "../../../src/front/fronts.ts";

/** Fronts that record, in one list, when an order begins and, for those that take time, when it ends. */
function begin(count: number) {
  const done: string[] = [];
  const fronts = Array.from({ length: count }, (_, i): FrontControl => {
    const slow = (name: string) => async () => {
      done.push(`${i} ${name}`);
      await Promise.resolve();
      done.push(`${i} ${name} done`);
    };
    return {
      open: async () => {
        await slow("open")();
        return i === 0 ? [{ kind: "tcp", host: "127.0.0.1", port: 1 }] : [];
      },
      leave: () => done.push(`${i} leave`),
      refuseCalls: () => done.push(`${i} refuse`),
      stopListening: slow("stop"),
      drain: slow("drain"),
      settled: slow("settled"),
      close: slow("close"),
    };
  });
  const [first, ...others] = fronts as [FrontControl, ...FrontControl[]];
  return { fronts: new Fronts(first, ...others), done };
}

describe("Fronts", () => {
  // The first front passes connections to the others as soon as it listens.
  it("open the one that listens when all others are open", async () => {
    const { fronts, done } = begin(3);
    assert.equal(fronts.isOpen, false);
    await fronts.open();
    assert.equal(fronts.isOpen, true);
    assert.equal(done.indexOf("0 open"), 4, done.join());
    assert.deepEqual(fronts.addresses, [{ kind: "tcp", host: "127.0.0.1", port: 1 }]);
  });

  // A front without connections ends its drain at once, and would close one that arrives later.
  it("drain only when no more connections are passed to them", async () => {
    const { fronts, done } = begin(2);
    await fronts.drain(10);
    assert.deepEqual(done.slice(0, 2), ["0 stop", "0 stop done"]);
    assert.deepEqual(done.slice(2).sort(), ["0 drain", "0 drain done", "1 drain", "1 drain done"]);
  });

  it("refuse calls on all fronts before any of them drains, when the server fails", async () => {
    const { fronts, done } = begin(2);
    await fronts.fail(10);
    assert.deepEqual(done.slice(0, 2), ["0 refuse", "1 refuse"]);
    assert.deepEqual(done.slice(-2).sort(), ["0 drain done", "1 drain done"]);
  });

  it("have settled when each of them has", async () => {
    const { fronts, done } = begin(2);
    await fronts.settled();
    assert.deepEqual(done, ["0 settled", "1 settled", "0 settled done", "1 settled done"]);
  });
});
