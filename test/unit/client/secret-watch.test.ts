import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { ClientError } from "../../../src/client/client-error.ts";
import type { SecretSeen } from "../../../src/client/secret-events.ts";
import {
  BROKEN,
  RESYNC,
  SILENCE_MS,
  ScriptedWatches,
  failed,
  heartbeat,
  live,
  revoked,
  secret,
  synced,
  take,
  turns,
} from "../../support/scripted-watches.ts";

const SHUTTING_DOWN = failed("UNAVAILABLE", { reason: "SHUTTING_DOWN" });
const AHEAD = failed("UNAVAILABLE", { reason: "REVISION_AHEAD" });

const A1 = "a v1 live k=a@1";
const A2 = "a v2 live k=a@2";
const SYNCED = "synced 1/1";

describe("a watch whose stream ends", () => {
  // The server sends what has changed since the last SYNCED or heartbeat, including what was delivered after it.
  it("continues from the last SYNCED or heartbeat, and delivers nothing twice", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin({ paths: ["a"], prefixes: ["s/"] });
    const first = await watches.stream();
    const start = { fromRevision: 0, policy: "", seenRevision: 0, timeline: "" };
    assert.deepEqual(first.request, { paths: ["a"], prefixes: ["s/"], withValues: true, ...start });
    first.send(live("a", 1, 1), synced(1, "p1"), heartbeat(4, "p4"), live("a", 2, 5)).fail(BROKEN);
    assert.deepEqual(await take(watch, 5), [A1, SYNCED, "heartbeat", A2, "disconnected broken"]);
    watches.timers.advance(200);
    const second = await watches.stream(2);
    const { fromRevision, policy, seenRevision, timeline } = second.request;
    assert.deepEqual([fromRevision, policy, seenRevision, timeline], [4, "p4", 5, "t"]);
    second.send(live("a", 2, 5), synced(5), live("a", 3, 6));
    assert.deepEqual(await take(watch, 2), [SYNCED, "a v3 live k=a@3"]);
    await watch.return();
  });

  it("waits longer after each failure, for a random time, and not longer than 5 seconds", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    (await watches.stream()).send(synced(1)).fail(BROKEN);
    assert.equal((await watch.next()).value?.kind, "synced");
    const pauses: number[] = [];
    for (let failure = 1; failure <= 7; failure++) {
      watches.refusals.push(BROKEN);
      const { value } = await watch.next();
      assert.ok(value?.kind === "disconnected");
      pauses.push(value.retryInMs);
      assert.deepEqual(watches.timers.pauses, [value.retryInMs]);
      watches.timers.advance(value.retryInMs - 1);
      await turns();
      assert.equal(watches.refusals.length, 1, "it does not connect earlier");
      watches.timers.advance(1);
    }
    assert.deepEqual(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
    // A failure after SYNCED is the first one again.
    watches.refusals.length = 0;
    (await watches.stream(2)).send(synced(2)).fail(BROKEN);
    assert.deepEqual((await watch.next()).value?.kind, "synced");
    const { value } = await watch.next();
    assert.ok(value?.kind === "disconnected" && value.retryInMs === 200);
    await watch.return();
  });

  // The server ends the streams of a connection that has reached its age.
  it("continues immediately after SHUTTING_DOWN, and after a rotation", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    (await watches.stream()).send(synced(1)).fail(SHUTTING_DOWN);
    (await watches.stream(2)).send(synced(1));
    (await watches.stream(2)).replace();
    (await watches.stream(3)).send(synced(1));
    assert.deepEqual(await take(watch, 3), [SYNCED, SYNCED, SYNCED]);
    // The control: a server that refuses each stream is not called without a pause.
    (await watches.stream(3)).replace();
    (await watches.stream(4)).fail(SHUTTING_DOWN);
    assert.deepEqual(await take(watch, 1), ["disconnected SHUTTING_DOWN"]);
    assert.equal(watches.streams.length, 4);
    await watch.return();
  });

  it("ends the pause when the identity has changed", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    (await watches.stream()).fail(BROKEN);
    assert.deepEqual(await take(watch, 1), ["disconnected broken"]);
    watches.pauses.endAll();
    await watches.stream(2);
    await watch.return();
  });

  // A front of the server can be behind for a moment. A store that was restored from an older copy stays behind.
  it("begins with a snapshot when the store stays behind, and delivers only differences", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const first = await watches.stream();
    first.send(live("a", 1, 1), live("b", 1, 2), live("c", 1, 3), synced(9)).fail(AHEAD);
    await take(watch, 5);
    watches.timers.advance(200);
    const second = await watches.stream(2);
    assert.equal(second.request.fromRevision, 9);
    second.fail(AHEAD);
    await take(watch, 1);
    watches.timers.advance(400);
    const third = await watches.stream(3);
    assert.deepEqual([third.request.fromRevision, third.request.policy], [0, ""]);
    // In the restored store, b has another version with the same number and the same revision.
    third.send(live("a", 1, 1), live("b", 1, 2, { createTime: 99 }), synced(4));
    assert.deepEqual(await take(watch, 3), ["b v1 live k=b@1", "gone c vanished", SYNCED]);
    await watch.return();
  });

  it("continues in the same way if the server can't be reached at all, or refuses the identity", async () => {
    for (const error of [
      failed("UNAUTHENTICATED", { reason: "SVID_EXPIRED" }),
      failed("PERMISSION_DENIED", { reason: "ACCESS_DENIED" }),
      failed("RESOURCE_EXHAUSTED", { reason: "BUDGET_EXCEEDED", retryDelayMs: 700 }),
      failed("INTERNAL", { reason: "INTERNAL" }),
      failed("UNAVAILABLE", { failure: { kind: "no-identity", problems: [] } }),
    ]) {
      const watches = new ScriptedWatches();
      watches.refusals.push(error);
      const watch = watches.begin();
      const { value } = await watch.next();
      assert.ok(value?.kind === "disconnected" && value.error === error);
      assert.equal(value.retryInMs, error.retryDelayMs ?? 200);
      watches.timers.advance(value.retryInMs);
      await watches.stream(1);
      await watch.return();
    }
  });

  it("ends with the error if waiting does not help", async () => {
    for (const error of [
      failed("INVALID_ARGUMENT", { reason: "LIMIT_EXCEEDED" }),
      failed("UNIMPLEMENTED"),
      failed("FAILED_PRECONDITION", { failure: { kind: "no-identity", problems: [] } }),
    ]) {
      const watches = new ScriptedWatches();
      const watch = watches.begin();
      (await watches.stream()).send(live("a", 1, 1)).fail(error);
      assert.deepEqual(await take(watch, 1), [A1]);
      await assert.rejects(watch.next(), (thrown) => thrown === error);
      assert.deepEqual(await watch.next(), { done: true, value: undefined });
      assert.equal(watches.ended, 1);
    }
  });
});

describe("the events of a watch", () => {
  it("are the states of versions, purges and withdrawals", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin({ paths: ["a"], withValues: false });
    const stream = await watches.stream();
    assert.equal(stream.request.withValues, false);
    const states = [2, 3, 4, 0, 9].map((state, i) => secret({ path: "a", version: 1, state }, 2 + i));
    const binaryData = [{ key: "b", value: Buffer.from("x") }];
    stream.send(secret({ path: "a", version: 1, state: 1 }, 1), ...states);
    stream.send(secret({ path: "a", version: 2, state: 1, binaryData, expireTime: 5 }, 8));
    stream.send(secret({ path: "a", version: 2, purged: true }, 9), live("b", 1, 10), revoked("b", 11));
    // No event of c or d was delivered before.
    stream.send(secret({ path: "c", version: 2, purged: true }, 12), revoked("d", 12), {
      revision: 0,
      event: undefined,
      timeline: "",
    });
    stream.send(synced(12));
    const events: unknown[] = [];
    while (events.length < 11) events.push((await watch.next()).value);
    const shown = events as { kind: string; state?: string; reason?: string; content?: unknown }[];
    assert.deepEqual(
      shown.map(({ kind, state, reason }) => state ?? reason ?? kind),
      ["live", "deleted", "destroyed", "expired", "none", "none", "live", "purged", "live", "revoked", "synced"],
    );
    assert.deepEqual(
      shown.slice(0, 7).map(({ content }) => content !== undefined),
      [false, false, false, false, false, false, true],
    );
    const { content, ...facts } = events[6] as SecretSeen;
    assert.deepEqual(facts, {
      kind: "secret",
      path: "a",
      version: 2,
      state: "live",
      revision: 8,
      createTime: 8,
      expireTime: 5,
    });
    assert.deepEqual(content?.entries(), [{ key: "b", kind: "binary", value: Buffer.from("x") }]);
    await watch.return();
  });

  it("after RESYNC are only differences, and what is missing in the snapshot has vanished", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = await watches.stream();
    stream.send(live("a", 1, 1), live("b", 1, 2), synced(2), RESYNC, live("a", 1, 1), live("c", 1, 3), synced(3));
    const shown = await take(watch, 6);
    assert.deepEqual(shown, [A1, "b v1 live k=b@1", SYNCED, "c v1 live k=c@1", "gone b vanished", SYNCED]);
    await watch.return();
  });

  // A snapshot that is not complete proves nothing about what it does not contain.
  it("name nothing as vanished if the snapshot breaks off, and the next stream begins with 0", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    (await watches.stream()).send(live("a", 1, 1), live("b", 1, 2), synced(2), RESYNC, live("a", 2, 3)).fail(BROKEN);
    assert.deepEqual((await take(watch, 5)).slice(3), [A2, "disconnected broken"]);
    watches.timers.advance(200);
    const second = await watches.stream(2);
    assert.equal(second.request.fromRevision, 0);
    second.send(live("a", 2, 3), live("b", 1, 2), synced(3), live("b", 2, 4));
    assert.deepEqual(await take(watch, 2), [SYNCED, "b v2 live k=b@2"]);
    await watch.return();
  });

  it("that are not delivered leave no copy in memory: their values are overwritten", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const repeated = live("a", 1, 1);
    const unread = live("b", 1, 2);
    (await watches.stream()).send(live("a", 1, 1), synced(1), RESYNC, repeated, unread, synced(2));
    assert.deepEqual(await take(watch, 2), [A1, SYNCED]);
    await turns();
    await watch.return();
    for (const { event } of [repeated, unread]) {
      assert.ok(event?.kind === "secret");
      assert.deepEqual(event.value.data[0]?.value, Buffer.alloc(3));
    }
  });
});

describe("a watch without a message", () => {
  it(`is broken after ${SILENCE_MS} ms, and each message restarts this time`, async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = (await watches.stream()).send(synced(1));
    for (let i = 0; i < 3; i++) {
      await turns();
      watches.timers.advance(SILENCE_MS - 1);
      await turns();
      assert.equal(stream.isCancelled, false);
      stream.send(heartbeat(1));
    }
    await turns();
    watches.timers.advance(SILENCE_MS);
    await turns();
    assert.equal(stream.isCancelled, true);
    assert.deepEqual((await take(watch, 5)).at(-1), "disconnected no-answer");
    await watch.return();
  });

  // The event loop was blocked, and the timer and the messages are due in the same turn.
  it("is not broken if the message has arrived in the turn of the timer", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = (await watches.stream()).send(synced(1));
    await turns();
    watches.timers.advance(SILENCE_MS);
    stream.send(heartbeat(1));
    await turns();
    assert.equal(stream.isCancelled, false);
    await watch.return();
  });

  // A first snapshot may need longer than the first time limit, and would otherwise never be complete.
  it("has twice the time after each failure", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    for (const factor of [1, 2, 4, 8, 8]) {
      const stream = await watches.stream();
      watches.timers.advance(factor * SILENCE_MS - 1);
      await turns();
      assert.equal(stream.isCancelled, false);
      watches.timers.advance(1);
      await turns();
      assert.equal(stream.isCancelled, true);
      watches.timers.advance(5000);
      await turns();
    }
    await watch.return();
  });

  it("is not broken while its consumer does not read", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = await watches.stream();
    for (let i = 1; i <= 100; i++) stream.send(live("a", i, i));
    await turns();
    watches.timers.advance(100 * SILENCE_MS);
    await turns();
    assert.equal(stream.isCancelled, false);
    await watch.return();
  });
});

describe("a watch with a slow consumer", () => {
  it("stops reading its stream, and continues when the consumer reads", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = await watches.stream();
    for (let i = 1; i <= 1000; i++) stream.send(live("a", i, i));
    await turns();
    assert.equal(stream.reads, 16);
    const versions: number[] = [];
    while (versions.length < 1000) {
      const { value } = await watch.next();
      if (value?.kind === "secret") versions.push(value.version);
      assert.ok(stream.reads <= versions.length + 16);
    }
    assert.deepEqual(
      versions,
      versions.map((_, i) => i + 1),
    );
    await watch.return();
  });

  // Otherwise the server would not have the watch, and a change that requires convergence would not count it.
  it("connects again before the consumer reads, and then delivers the events of the new stream", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const first = await watches.stream();
    first.send(synced(1));
    for (let i = 2; i <= 100; i++) first.send(live("a", i, i));
    await turns();
    const unread = live("b", 1, 100);
    first.send(unread).fail(BROKEN);
    for (let i = 0; i < 4; i++) {
      await turns();
      watches.timers.advance(5000);
      (await watches.stream(2 + i)).fail(BROKEN);
    }
    await turns();
    watches.timers.advance(5000);
    const last = await watches.stream(6);
    last.send(live("a", 100, 100), live("b", 1, 100), synced(100));
    assert.ok(unread.event?.kind === "secret");
    assert.deepEqual(unread.event.value.data[0]?.value, Buffer.alloc(3), "what was not delivered is overwritten");
    const shown = await take(watch, 20);
    assert.deepEqual(shown.slice(15), [
      "a v16 live k=a@16",
      "disconnected broken",
      "a v100 live k=a@100",
      "b v1 live k=b@1",
      SYNCED,
    ]);
    await watch.return();
  });
});

describe("a watch ends", () => {
  it("with return(), which ends the stream and all calls of next()", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = await watches.stream();
    const waiting = [watch.next(), watch.next()];
    assert.deepEqual(await watch.return(), { done: true, value: undefined });
    assert.deepEqual(await Promise.all(waiting), Array(2).fill({ done: true, value: undefined }));
    assert.deepEqual([stream.isCancelled, watches.ended, watches.timers.pauses], [true, 1, []]);
    await watch.return();
    assert.equal(watches.ended, 1);
  });

  it("with a break of the loop, also while the watch waits to connect", async () => {
    const watches = new ScriptedWatches();
    watches.refusals.push(BROKEN);
    for await (const { kind } of watches.begin()) {
      assert.equal(kind, "disconnected");
      break;
    }
    assert.deepEqual([watches.ended, watches.timers.pauses, watches.streams], [1, [], []]);
  });

  it("with an aborted signal, which is the cause of the error", async () => {
    const watches = new ScriptedWatches();
    const controller = new AbortController();
    const watch = watches.begin({ paths: ["a"], signal: controller.signal });
    const stream = await watches.stream();
    const next = watch.next();
    controller.abort("stopped");
    await assert.rejects(next, { name: "ClientError", code: "CANCELLED", cause: "stopped" });
    await turns();
    assert.deepEqual([stream.isCancelled, watches.ended], [true, 1]);
    const late = watches.begin({ paths: ["a"], signal: controller.signal });
    await assert.rejects(late.next(), { code: "CANCELLED" });
    await turns();
    assert.deepEqual([watches.streams.length, watches.ended], [1, 2]);
  });

  it("with its client", async () => {
    const watches = new ScriptedWatches();
    const watch = watches.begin();
    const stream = await watches.stream();
    await watch.close();
    assert.equal(stream.isCancelled, true);
    await assert.rejects(watch.next(), { code: "CANCELLED", message: "the client is closed" });
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
  });

  it("without an unhandled rejection if there is no consumer", async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listen);
    try {
      const watches = new ScriptedWatches();
      const watch = watches.begin();
      (await watches.stream()).fail(failed("INVALID_ARGUMENT"));
      await turns();
      assert.equal(watches.ended, 1);
      await watch.close();
      await turns();
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", listen);
    }
  });

  it("with an error of the call that begins it, if an option can't be used", () => {
    const watches = new ScriptedWatches();
    const refused: [options: object, message: RegExp][] = [
      [{}, /^paths and prefixes are both empty/],
      [{ paths: "a" }, /^paths is not an array/],
      [{ prefixes: [1] }, /^an element of prefixes is neither/],
      [{ paths: ["a"], withValues: "yes" }, /^withValues is neither true nor false/],
      [{ paths: ["a"], instance: "pod 1" }, /^instance: expected at most 253 of the characters/],
      [{ paths: ["a"], instance: "x".repeat(254) }, /^instance: expected at most 253 of the characters/],
      [{ paths: ["a"], signal: {} }, /^signal is not an AbortSignal/],
      [{ paths: ["a"], prefixs: [] }, /^unknown option "prefixs"/],
    ];
    for (const [options, message] of refused)
      assert.throws(
        () => watches.begin(options as never),
        (error) => error instanceof ClientError && error.code === "INVALID_ARGUMENT" && message.test(error.message),
      );
  });
});
