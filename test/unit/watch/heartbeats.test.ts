import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HEARTBEAT_GROUPS, Heartbeats } from "../../../src/watch/heartbeats.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

/** The longest time between two heartbeats that the contract allows, in milliseconds. */
const PROMISED_MS = 15_000;

class Beaten {
  readonly times: number[] = [];
  readonly #timers: ManualTimers;

  constructor(timers: ManualTimers) {
    this.#timers = timers;
  }

  beat(): void {
    this.times.push(this.#timers.elapsed());
  }
}

describe("heartbeats", () => {
  // A restarted server gets all its watchers at once. If their heartbeats came at once, events would wait for all of them.
  it("of watchers that begin together are spread, and each watcher gets one at least every 15 seconds", () => {
    const timers = new ManualTimers(0);
    const heartbeats = new Heartbeats<Beaten>(timers);
    const watchers = Array.from({ length: 1000 }, () => new Beaten(timers));
    for (const watcher of watchers) heartbeats.add(watcher);
    const MINUTE_MS = 60_000;
    timers.advance(MINUTE_MS);
    for (const { times } of watchers) {
      const all = [0, ...times, MINUTE_MS];
      for (const [i, time] of all.slice(1).entries()) assert.ok(time - all[i]! <= PROMISED_MS);
    }
    const together = new Map<number, number>();
    for (const time of watchers.flatMap(({ times }) => times)) together.set(time, (together.get(time) ?? 0) + 1);
    assert.equal(Math.max(...together.values()), watchers.length / HEARTBEAT_GROUPS);
  });

  // While commits block the only thread, every timer is late.
  it("arrive at least every 15 seconds, although each timer is late by half a second", () => {
    const timers = new ManualTimers(0);
    const delay = (ms: number, task: () => void) => timers.delay(ms + 500, task);
    const heartbeats = new Heartbeats<Beaten>({ elapsed: timers.elapsed, delay });
    const watchers = Array.from({ length: 100 }, () => new Beaten(timers));
    for (const watcher of watchers) heartbeats.add(watcher);
    timers.advance(60_000);
    for (const { times } of watchers)
      for (const [i, time] of [...times, 60_000].entries()) assert.ok(time - (times[i - 1] ?? 0) <= PROMISED_MS);
  });

  it("end with the watcher, and no timer runs without watchers", () => {
    const timers = new ManualTimers(0);
    const heartbeats = new Heartbeats<Beaten>(timers);
    const [ended, kept] = [new Beaten(timers), new Beaten(timers)];
    for (const watcher of [ended, kept]) heartbeats.add(watcher);
    heartbeats.delete(ended);
    timers.advance(PROMISED_MS);
    assert.deepEqual([ended.times.length, kept.times.length > 0], [0, true]);
    heartbeats.delete(kept);
    assert.deepEqual(timers.pauses, []);
    heartbeats.add(ended);
    timers.advance(PROMISED_MS);
    assert.ok(ended.times.length > 0);
  });
});
