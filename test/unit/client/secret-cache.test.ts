import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientError } from "../../../src/client/client-error.ts";
import type { SecretCache } from "../../../src/client/secret-cache.ts";
import { ReportState } from "../../../src/contract/messages.ts";
import { ScriptedCache } from "../../support/scripted-cache.ts";
import {
  BROKEN,
  RESYNC,
  failed,
  heartbeat,
  live,
  revoked,
  secret,
  synced,
  turns,
} from "../../support/scripted-watches.ts";

/** What a cache returns for a path: the version and the value of k, or the reason of the error. */
function shown(cache: SecretCache, path: string): string {
  try {
    const { version, content } = cache.get(path);
    return `v${version} ${content.text("k")}`;
  } catch (error) {
    assert.ok(error instanceof ClientError);
    return error.reason ?? error.code;
  }
}

describe("a cache", () => {
  // A consumer of changes gets one for each secret of the first snapshot.
  it("is ready when the first snapshot is complete, and has what has arrived before", async () => {
    const scripted = new ScriptedCache({ paths: ["a"], prefixes: ["s/"], instance: "pod-1" });
    const { cache } = scripted;
    const stream = await scripted.stream();
    assert.deepEqual([stream.request.paths, stream.request.prefixes, stream.request.withValues], [["a"], ["s/"], true]);
    let isReady = false;
    void cache.ready.then(() => {
      isReady = true;
    });
    assert.deepEqual([shown(cache, "a"), cache.source, cache.ageMs], ["UNAVAILABLE", "none", Number.POSITIVE_INFINITY]);
    await scripted.receive(live("a", 1, 1));
    assert.deepEqual([shown(cache, "a"), shown(cache, "s/b"), isReady], ["v1 a@1", "UNAVAILABLE", false]);
    await scripted.receive(live("s/b", 2, 2), synced(2));
    await cache.ready;
    assert.deepEqual(cache.paths(), ["a", "s/b"]);
    assert.deepEqual([shown(cache, "a"), shown(cache, "s/b"), cache.source], ["v1 a@1", "v2 s/b@2", "server"]);
    await scripted.receive(live("a", 2, 3));
    assert.equal(shown(cache, "a"), "v2 a@2");
    const { path, createTime, expireTime } = cache.get(Buffer.from("a"));
    assert.deepEqual([path, createTime, expireTime], ["a", 3, undefined]);
    assert.deepEqual(scripted.changes, ["changed a 1", "changed s/b 2", "changed a 2"]);
    await cache.close();
  });

  it("has no secret that is deleted, destroyed, expired, purged, withdrawn or unreadable, and says why", async () => {
    const scripted = new ScriptedCache();
    const { cache } = scripted;
    const paths = ["deleted", "destroyed", "expired", "none", "purged", "revoked", "damaged", "vanished"];
    await scripted.receive(...paths.map((path, i) => live(path, 1, i + 1)), synced(8));
    for (const path of paths) assert.equal(shown(cache, path), `v1 ${path}@1`);
    scripted.changes.length = 0;
    await scripted.receive(
      secret({ path: "deleted", version: 1, state: 2 }, 11),
      secret({ path: "destroyed", version: 1, state: 3 }, 12),
      secret({ path: "expired", version: 1, state: 4, expireTime: 5 }, 13),
      secret({ path: "none", version: 0 }, 14),
      secret({ path: "purged", version: 1, purged: true }, 15),
      revoked("revoked", 16),
      secret({ path: "damaged", version: 2, state: 1 }, 17),
      RESYNC,
    );
    const others = ["deleted", "destroyed", "expired", "none", "damaged"].map((path) =>
      path === "damaged"
        ? secret({ path, version: 2, state: 1 }, 17)
        : secret({ path, version: path === "none" ? 0 : 1, state: 2 }, 18),
    );
    assert.deepEqual(paths.map((path) => shown(cache, path)).slice(0, 7), [
      "VERSION_DELETED",
      "VERSION_DESTROYED",
      "VERSION_EXPIRED",
      "SECRET_NOT_FOUND",
      "SECRET_NOT_FOUND",
      "SECRET_NOT_FOUND",
      "CONTENT_UNREADABLE",
    ]);
    assert.equal(shown(cache, "vanished"), "v1 vanished@1", "a snapshot that is not complete proves nothing");
    await scripted.receive(...others, synced(18));
    assert.equal(shown(cache, "vanished"), "SECRET_NOT_FOUND");
    assert.deepEqual(cache.paths(), []);
    assert.deepEqual(scripted.changes, [
      "removed deleted deleted",
      "removed destroyed destroyed",
      "removed expired expired",
      "removed none none",
      "removed purged purged",
      "removed revoked revoked",
      "removed damaged live",
      "removed vanished vanished",
    ]);
    // An error that get throws has the code of a Get.
    assert.throws(() => cache.get("deleted"), { code: "NOT_FOUND", metadata: { path: "deleted", version: "1" } });
    assert.throws(() => cache.get("damaged"), { code: "DATA_LOSS" });
    await scripted.receive(live("deleted", 1, 20));
    assert.equal(shown(cache, "deleted"), "v1 deleted@1", "it was undeleted");
    await cache.close();
  });

  // A mistyped path would otherwise never have a secret.
  it("refuses a path that it does not watch", async () => {
    const { cache } = new ScriptedCache({ paths: ["a"], prefixes: ["s/"] });
    for (const path of ["b", "ab", "s"])
      assert.throws(() => cache.get(path), { code: "INVALID_ARGUMENT", message: /is not one of the paths/ });
    assert.throws(() => cache.get("s/x"), { code: "UNAVAILABLE" });
    assert.throws(() => new ScriptedCache({}), { code: "INVALID_ARGUMENT" });
    assert.throws(() => new ScriptedCache({ paths: ["a"], withValues: true } as never), /unknown option "withValues"/);
    await cache.close();
  });

  it("serves what it has through an outage, and says how old it is", async () => {
    const scripted = new ScriptedCache();
    const { cache, timers } = scripted;
    await scripted.receive(live("a", 1, 1), synced(1));
    timers.advance(1000);
    assert.deepEqual([cache.ageMs, cache.problem], [1000, undefined]);
    await scripted.receive(heartbeat(1));
    assert.equal(cache.ageMs, 0);
    (await scripted.stream()).fail(BROKEN);
    await turns();
    scripted.refusals.push(...Array(1000).fill(BROKEN));
    for (let second = 0; second < 60; second++) {
      timers.advance(1000);
      await turns();
    }
    assert.deepEqual(
      [shown(cache, "a"), cache.ageMs, cache.problem, cache.source],
      ["v1 a@1", 60_000, BROKEN, "server"],
    );
    // The machine slept: its monotonic time stood still.
    timers.setClock(timers.clock() + 3_600_000);
    assert.equal(cache.ageMs, 3_660_000);
    scripted.refusals.length = 0;
    timers.advance(5000);
    await scripted.receive(synced(1));
    assert.deepEqual([cache.ageMs, cache.problem, scripted.changes], [0, undefined, ["changed a 1"]]);
    await cache.close();
  });

  // During an outage, the server can't report the expiry, and the version must not be used longer than its owner wanted.
  it("serves no version whose expire_time has passed, also during an outage", async () => {
    const scripted = new ScriptedCache();
    const { cache, timers } = scripted;
    const expiring = (path: string, expireTime: number) => live(path, 1, expireTime, { expireTime });
    await scripted.receive(expiring("late", 9_000_000_000), expiring("b", 3000), expiring("a", 2000), synced(1));
    const { content } = cache.get("a");
    timers.advance(1999);
    assert.deepEqual([shown(cache, "a"), cache.paths()], ["v1 a@1", ["late", "b", "a"]]);
    timers.advance(1);
    await turns();
    assert.deepEqual(
      [shown(cache, "a"), shown(cache, "b"), cache.paths()],
      ["VERSION_EXPIRED", "v1 b@1", ["late", "b"]],
    );
    assert.equal(content.text("k"), "a@1", "the program still has what it has got");
    assert.deepEqual(scripted.changes.splice(0), ["changed late 1", "changed b 1", "changed a 1", "removed a expired"]);
    // The server removes the content some seconds later.
    await scripted.receive(secret({ path: "a", version: 1, state: 4, expireTime: 2000 }, 5), live("a", 2, 6));
    assert.equal(shown(cache, "a"), "v2 a@2");
    // The clock jumps, and no timer is due.
    timers.setClock(3000);
    assert.equal(shown(cache, "b"), "VERSION_EXPIRED");
    assert.deepEqual(cache.paths(), ["late", "a"]);
    // A version that expires later than a timer can wait.
    timers.setClock(timers.elapsed());
    for (let hour = 0; hour < 2500; hour++) timers.advance(3_600_000);
    assert.equal(shown(cache, "late"), "VERSION_EXPIRED");
    await cache.close();
  });

  it("reports what it has received, and that a version is in use when the program says so", async () => {
    const scripted = new ScriptedCache({ prefixes: [""], instance: "pod-1" });
    const { cache } = scripted;
    const sent = async () => {
      await turns();
      return scripted.reports
        .splice(0)
        .map(({ path, version, state, instance }) => [path, version, state === ReportState.inUse, instance].join(" "));
    };
    await scripted.receive(live("a", 6, 1), secret({ path: "none" }, 2), synced(2));
    assert.deepEqual(await sent(), ["a 6 false pod-1"]);
    const old = cache.get("a");
    old.inUse();
    assert.deepEqual(await sent(), ["a 6 true pod-1"]);
    // The server counts the version in use.
    await scripted.receive(live("a", 7, 3));
    assert.deepEqual(await sent(), []);
    cache.get("a").inUse();
    assert.deepEqual(await sent(), ["a 7 true pod-1"]);
    // A deletion is reported as received, because the program no longer gets the older version. A version that can't be
    // read is not.
    await scripted.receive(
      secret({ path: "d", version: 8, state: 2 }, 4),
      secret({ path: "b", version: 1, state: 1 }, 5),
    );
    assert.deepEqual(await sent(), ["d 8 false pod-1"]);
    // A server without reports changes nothing for the program.
    scripted.answerReport = () => Promise.reject(failed("UNIMPLEMENTED"));
    await scripted.receive(live("c", 1, 6));
    cache.get("c").inUse();
    assert.deepEqual(await sent(), ["c 1 false pod-1", "c 1 true pod-1"]);
    assert.equal(shown(cache, "c"), "v1 c@1");
    await cache.close();
  });

  // After the store was replaced by an older copy of itself, version 2 is another version than the one that the program has.
  it("does not report a version whose number names another version", async () => {
    const scripted = new ScriptedCache({ prefixes: [""] });
    const { cache } = scripted;
    await scripted.receive(live("a", 2, 2), synced(2));
    const old = cache.get("a");
    await scripted.receive(RESYNC, live("a", 2, 3), synced(3));
    await turns();
    scripted.reports.splice(0);
    old.inUse();
    await turns();
    assert.deepEqual(scripted.reports, []);
    cache.get("a").inUse();
    await turns();
    assert.deepEqual(
      scripted.reports.map(({ version, state }) => [version, state]),
      [[2, ReportState.inUse]],
    );
    await cache.close();
  });

  // A version that was deleted and undeleted has another object in the cache. A version of a restored store can be deleted.
  it("reports a version that is undeleted, and none that a deleted one replaces", async () => {
    const scripted = new ScriptedCache({ prefixes: [""] });
    const { cache } = scripted;
    await scripted.receive(live("a", 2, 2), synced(2));
    const old = cache.get("a");
    const createTime = 2;
    await scripted.receive(secret({ path: "a", version: 2, state: 2, createTime }, 3), live("a", 2, 4, { createTime }));
    scripted.reports.splice(0);
    old.inUse();
    await turns();
    assert.deepEqual(
      scripted.reports.splice(0).map(({ version, state }) => [version, state]),
      [[2, ReportState.inUse]],
    );
    await scripted.receive(RESYNC, secret({ path: "a", version: 2, state: 2, createTime: 5 }, 5), synced(5));
    old.inUse();
    await turns();
    assert.deepEqual(scripted.reports, []);
    await cache.close();
  });

  it("keeps the content of a version that arrives again, and one that the program has got", async () => {
    const scripted = new ScriptedCache();
    const { cache } = scripted;
    await scripted.receive(live("a", 1, 1), synced(1));
    const first = cache.get("a");
    // Only settings have changed.
    const again = live("a", 1, 2, { createTime: 1 });
    await scripted.receive(again);
    assert.equal(cache.get("a").content, first.content);
    assert.ok(again.event?.kind === "secret");
    assert.deepEqual(again.event.value.data[0]?.value, Buffer.alloc(3), "the copy is overwritten");
    await scripted.receive(live("a", 2, 3));
    assert.equal(first.content.text("k"), "a@1");
    const second = cache.get("a");
    await cache.close();
    assert.throws(() => second.content.text("k"), TypeError, "close overwrites what the cache has");
    assert.throws(() => cache.get("a"), { code: "CANCELLED", message: "the cache is closed" });
    assert.deepEqual([scripted.changes, scripted.failure], [["changed a 1", "changed a 2"], undefined]);
  });

  it("overwrites contents that it no longer has, if the program has not got them", async () => {
    const scripted = new ScriptedCache();
    const { cache, timers } = scripted;
    const versions = [
      live("replaced", 1, 1),
      live("deleted", 1, 2),
      live("revoked", 1, 3),
      live("expired", 1, 4, { expireTime: 500 }),
      live("got", 1, 5),
      live("kept", 1, 6),
    ];
    const zeros = () =>
      versions.map(({ event }) => {
        assert.ok(event?.kind === "secret");
        return event.value.data[0]?.value.every((byte) => byte === 0);
      });
    await scripted.receive(...versions, synced(6));
    assert.deepEqual(zeros(), Array(6).fill(false));
    const { content } = cache.get("got");
    await scripted.receive(live("replaced", 2, 7), secret({ path: "deleted", version: 1, state: 2 }, 8));
    await scripted.receive(revoked("revoked", 9), live("got", 2, 10));
    timers.advance(500);
    assert.deepEqual(zeros(), [true, true, true, true, false, false]);
    assert.equal(content.text("k"), "got@1");
    await cache.close();
    assert.deepEqual(zeros(), [true, true, true, true, false, true]);
  });

  it("has changes for each consumer, the last one of each path", async () => {
    const scripted = new ScriptedCache();
    const { cache } = scripted;
    const slow = cache.changes();
    const left = cache.changes();
    await left.return();
    await scripted.receive(
      live("a", 1, 1),
      live("b", 1, 2),
      synced(2),
      live("a", 2, 3),
      live("c", 1, 4),
      revoked("c", 5),
    );
    assert.deepEqual((await slow.next()).value, { kind: "changed", path: "b", version: 1 });
    assert.deepEqual((await slow.next()).value, { kind: "changed", path: "a", version: 2 });
    assert.deepEqual((await slow.next()).value, { kind: "removed", path: "c", reason: "revoked" });
    const waiting = [slow.next(), slow.next()];
    await scripted.receive(live("a", 3, 6));
    assert.deepEqual((await waiting[0])?.value, { kind: "changed", path: "a", version: 3 });
    await cache.close();
    const ended = { done: true, value: undefined };
    assert.deepEqual([await waiting[1], await slow.next(), await left.next()], [ended, ended, ended]);
    assert.deepEqual(await cache.changes().next(), ended);
  });

  it("is never ready if waiting does not help, and has the error", async () => {
    const refusal = failed("INVALID_ARGUMENT", { reason: "LIMIT_EXCEEDED" });
    const scripted = new ScriptedCache();
    (await scripted.stream()).fail(refusal);
    await assert.rejects(scripted.cache.ready, (error) => error === refusal);
    await turns();
    assert.deepEqual([scripted.cache.problem, scripted.failure], [refusal, refusal]);
    // A program can begin to follow the changes after the end.
    await assert.rejects(scripted.cache.changes().next(), (error) => error === refusal);
    await scripted.cache.close();
    assert.deepEqual(await scripted.cache.changes().next(), { done: true, value: undefined });
  });

  it("serves what it has if its watch ends later", async () => {
    const scripted = new ScriptedCache();
    const { cache, timers } = scripted;
    await scripted.receive(live("a", 1, 1, { expireTime: 5000 }), synced(1));
    (await scripted.stream()).fail(failed("UNIMPLEMENTED"));
    await turns();
    timers.advance(4999);
    assert.deepEqual([shown(cache, "a"), cache.ageMs, cache.problem?.code], ["v1 a@1", 4999, "UNIMPLEMENTED"]);
    assert.deepEqual(timers.pauses, [], "nothing keeps the process running");
    timers.advance(1);
    assert.equal(shown(cache, "a"), "VERSION_EXPIRED");
    await cache.close();
  });

  it("that is closed before it is ready never is", async () => {
    const scripted = new ScriptedCache();
    await scripted.stream();
    await Promise.all([scripted.cache.close(), scripted.cache.close()]);
    await assert.rejects(scripted.cache.ready, { code: "CANCELLED" });
    assert.deepEqual([scripted.ended, scripted.timers.pauses], [1, []]);
  });
});
