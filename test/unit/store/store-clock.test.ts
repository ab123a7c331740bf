import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { processTimers } from "../../../src/domain/timers.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import type { SecretStore } from "../../../src/store/secret-store.ts";
import { StoreClock, storeClockMemory } from "../../../src/store/store-clock.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import { commandOf, loadStore, putRequest, read, textContent } from "../../support/store-kit.ts";

/** A wall clock and a monotonic clock that begin at the same time, and the store's clock. */
function clocks(now = 10_000) {
  const timers = new ManualTimers(now);
  return { timers, clock: new StoreClock(timers) };
}

describe("the store's clock", () => {
  it("is the wall clock while that runs forward", () => {
    const { timers, clock } = clocks();
    assert.equal(clock.now(), 10_000);
    timers.advance(250);
    assert.equal(clock.now(), 10_250);
    timers.setClock(60_000);
    assert.equal(clock.now(), 60_000);
  });

  // It continues at the rate of the monotonic clock: it neither stands still nor follows the wall clock back.
  it("continues when the wall clock is set back", () => {
    const { timers, clock } = clocks();
    assert.equal(clock.now(), 10_000);
    timers.setClock(4000);
    assert.equal(clock.now(), 10_000);
    timers.advance(1500);
    assert.equal(clock.now(), 11_500);
    timers.setClock(20_000);
    assert.equal(clock.now(), 20_000);
  });

  // If it was read while the wall clock was ahead, something may have expired. Otherwise nothing depends on the higher time.
  it("keeps a time to which the wall clock was set for a while, only if it was read meanwhile", () => {
    for (const wasRead of [true, false]) {
      const { timers, clock } = clocks();
      timers.setClock(50_000);
      if (wasRead) assert.equal(clock.now(), 50_000);
      timers.setClock(10_000);
      assert.equal(clock.now(), wasRead ? 50_000 : 10_000);
    }
  });

  // While a machine sleeps, the monotonic clock stands still. When it wakes up, the wall clock jumps.
  it("follows the wall clock after the machine has slept", () => {
    const { timers, clock } = clocks();
    assert.equal(clock.now(), 10_000);
    timers.setClock(10_000 + 8 * 3_600_000);
    assert.equal(clock.now(), 10_000 + 8 * 3_600_000);
    timers.advance(100);
    assert.equal(clock.now(), 10_100 + 8 * 3_600_000);
  });

  it("is at least as late as the last change after a restart", () => {
    const { clock } = clocks();
    clock.advanceTo(12_345);
    assert.equal(clock.now(), 12_345);
    clock.advanceTo(1);
    assert.equal(clock.now(), 12_345);
  });

  it("never runs backwards while the wall clock is set at random, also if threads read it in turn", () => {
    const timers = new ManualTimers(1_700_000_000_000);
    const memory = storeClockMemory();
    const threads = [new StoreClock(timers, memory), new StoreClock(timers, memory)];
    let last = 0;
    let random = 1;
    for (let i = 0; i < 20_000; i++) {
      random = (random * 48_271) % 2_147_483_647;
      if (random % 3 === 0) timers.setClock(1_700_000_000_000 + (random % 1_000_000));
      else timers.advance(random % 7);
      const now = threads[random % 2]!.now();
      assert.ok(now >= last, `${now} after ${last}`);
      last = now;
    }
  });

  // The zero of performance.now() differs between threads, so it could not be shared.
  it("has a monotonic clock with the same zero in every thread", async () => {
    const before = processTimers.monotonic();
    const module = new URL("../../../src/domain/timers.js", import.meta.url).href;
    const code = `import { parentPort } from "node:worker_threads";
      const { processTimers } = await import(${JSON.stringify(module)});
      parentPort.postMessage(processTimers.monotonic());`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
    const there = await new Promise<number>((resolve, reject) => worker.once("message", resolve).once("error", reject));
    assert.ok(before <= there && there <= processTimers.monotonic());
  });
});

function putExpiring(path: string, value: string, ms: number) {
  const plaintext = encodeContent(textContent(value));
  const expiry = { kind: "after", ms } as const;
  return commandOf({ kind: "put", path: parseSecretPath(path), plaintext, expectedVersion: undefined, expiry });
}

/** A store on a clock that the test sets, with a version of "a" that expires a minute after 10,000. */
async function storeWithExpiring() {
  const { timers, clock } = clocks();
  const journal = new ScriptedJournal();
  const store = await loadStore(journal, { timers, clock });
  await store.change(putExpiring("a", "short-lived", 60_000));
  return { timers, journal, store };
}

/** A restart: only the wall clock continues. The monotonic clock of the process begins elsewhere. */
async function restarted(
  journal: ScriptedJournal,
  wallClock: number,
): Promise<{ store: SecretStore; timers: ManualTimers }> {
  const timers = new ManualTimers(777);
  timers.setClock(wallClock);
  return { timers, store: await loadStore(journal, { timers }) };
}

describe("a version that expires", () => {
  it("is readable until its expire_time, and expired from that instant on", async () => {
    const { timers, store } = await storeWithExpiring();
    timers.advance(59_999);
    assert.equal(read(store, "a"), "short-lived");
    timers.advance(1);
    assert.equal(read(store, "a"), "VERSION_EXPIRED");
  });

  it("expires on time although the wall clock was set back", async () => {
    const { timers, store } = await storeWithExpiring();
    timers.setClock(0);
    timers.advance(59_999);
    assert.equal(read(store, "a"), "short-lived");
    timers.advance(1);
    assert.equal(read(store, "a"), "VERSION_EXPIRED");
  });

  it("remains expired if the wall clock was set forward, and back after a read", async () => {
    const { timers, store } = await storeWithExpiring();
    timers.setClock(100_000);
    assert.equal(read(store, "a"), "VERSION_EXPIRED");
    timers.setClock(10_000);
    assert.equal(read(store, "a"), "VERSION_EXPIRED");
  });

  it("does not expire if the wall clock was set forward and back and nothing was read or changed meanwhile", async () => {
    const { timers, store } = await storeWithExpiring();
    timers.setClock(100_000);
    timers.setClock(10_000);
    assert.equal(read(store, "a"), "short-lived");
  });

  it("is expired after a restart with a wall clock that is set back, if a change was made since", async () => {
    const { timers, journal, store } = await storeWithExpiring();
    timers.advance(60_000);
    await store.change(putRequest("b", "later"));
    const later = await restarted(journal, 10_000);
    assert.equal(read(later.store, "a"), "VERSION_EXPIRED");
  });

  // The store knows no later time than that of the last change, so the wall clock is all it has.
  it("is readable after a restart with a wall clock that is set back, if no change was made since", async () => {
    const { timers, journal, store } = await storeWithExpiring();
    timers.advance(60_000);
    assert.equal(read(store, "a"), "VERSION_EXPIRED");
    const later = await restarted(journal, 0);
    assert.equal(read(later.store, "a"), "short-lived");
    later.timers.advance(60_000);
    assert.equal(read(later.store, "a"), "VERSION_EXPIRED");
  });

  // The removal of its content is a change, which has a time.
  it("remains expired after the sweeper has removed its content, whatever the wall clock says after a restart", async () => {
    const { timers, journal, store } = await storeWithExpiring();
    timers.advance(60_000);
    await store.sweep();
    const later = await restarted(journal, 0);
    assert.equal(read(later.store, "a"), "VERSION_EXPIRED");
  });

  it("is expired when a machine has slept past its expire_time", async () => {
    const { timers, store } = await storeWithExpiring();
    timers.setClock(10_000 + 3_600_000);
    assert.equal(read(store, "a"), "VERSION_EXPIRED");
  });
});
