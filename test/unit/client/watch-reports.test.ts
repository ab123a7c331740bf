import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ReportState, type ReportRequest } from "../../../src/contract/messages.ts";
import {
  BROKEN,
  RESYNC,
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

const shown = ({ path, version, state, watchId, instance }: ReportRequest) =>
  [path, version, state === ReportState.inUse ? "in-use" : "received", watchId, instance].join(" ");

/** A watch with a stream, and the reports that it has sent since the last look. */
async function watching(instance?: string) {
  const watches = new ScriptedWatches();
  const watch = watches.begin({ prefixes: [""], instance });
  const stream = await watches.stream();
  const sent = async () => {
    await turns();
    return watches.reports.splice(0).map(shown);
  };
  return { watches, watch, stream, sent };
}

describe("the reports of a watch", () => {
  // The server knows the stream only by the watch_id, which arrives with SYNCED.
  it("are sent when SYNCED has arrived, then at once, and again on each stream", async () => {
    const { watches, watch, stream, sent } = await watching("pod-1");
    await watch.report("a", 6, "received");
    await watch.report("a", 7, "received");
    assert.deepEqual(await sent(), []);
    stream.send(synced(1));
    assert.deepEqual(await sent(), ["a 7 received watch-1 pod-1"]);
    await watch.report("a", 7, "in-use");
    assert.deepEqual(await sent(), ["a 7 in-use watch-1 pod-1"]);
    stream.fail(BROKEN);
    await take(watch, 2);
    // While there is no stream, a report is remembered.
    await watch.report("b", 1, "received");
    watches.timers.advance(200);
    (await watches.stream(2)).send(synced(2));
    assert.deepEqual(await sent(), ["a 7 in-use watch-2 pod-1", "b 1 received watch-2 pod-1"]);
    await watch.return();
  });

  // The server counts a watcher by what it has received until it reports what it uses. On each stream, the version that a
  // workload has received must not count before the one that it still uses.
  it("of a received version are not sent if one is in use, on any stream", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(synced(1));
    await turns();
    await watch.report("a", 1, "received");
    await watch.report("a", 1, "in-use");
    await watch.report("a", 2, "received");
    assert.deepEqual(await sent(), ["a 1 received watch-1 ", "a 1 in-use watch-1 "]);
    stream.fail(BROKEN);
    await take(watch, 2);
    watches.timers.advance(200);
    (await watches.stream(2)).send(synced(2));
    assert.deepEqual(await sent(), ["a 1 in-use watch-2 "]);
    await watch.return();
  });

  // After the store was replaced by an older copy of itself, version 2 is another version than the one in use. The workload
  // must not count as one that uses it: neither by its old report, nor because it has received the version.
  it("of a version in use do not name another version that has its number", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(live("a", 2, 2), live("b", 1, 1), synced(2));
    await take(watch, 3);
    for (const [path, version] of [
      ["a", 2],
      ["b", 1],
    ] as const)
      await watch.report(path, version, "in-use");
    assert.deepEqual(await sent(), ["a 2 in-use watch-2 ", "b 1 in-use watch-2 "]);
    stream.fail(BROKEN);
    await take(watch, 1);
    watches.timers.advance(200);
    // The time of creation of `live` is the revision.
    (await watches.stream(2)).send(RESYNC, live("a", 2, 3), live("b", 1, 1), synced(4));
    await take(watch, 2);
    await watch.report("a", 2, "received");
    assert.deepEqual(await sent(), ["b 1 in-use watch-4 "]);
    await watch.report("a", 2, "in-use");
    assert.deepEqual(await sent(), ["a 2 in-use watch-4 "]);
    await watch.return();
  });

  // Two reports of one path could arrive in the other order, and the older version would stay.
  it("are sent one after the other for each path and state, and only the last one of those that wait", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(synced(1));
    await turns();
    const answers: (() => void)[] = [];
    watches.answerReport = () => new Promise((resolve) => answers.push(resolve));
    const settled: number[] = [];
    for (const version of [1, 2, 3]) void watch.report("a", version, "in-use").then(() => settled.push(version));
    const other = watch.report("b", 1, "in-use");
    assert.deepEqual(await sent(), ["a 1 in-use watch-1 ", "b 1 in-use watch-1 "]);
    answers.shift()?.();
    assert.deepEqual(await sent(), ["a 3 in-use watch-1 "]);
    assert.deepEqual(settled, [1]);
    for (const answer of answers.splice(0)) answer();
    await other;
    assert.deepEqual([await sent(), settled], [[], [1, 2, 3]]);
    await watch.return();
  });

  it("are sent four at a time", async () => {
    const { watches, watch, stream, sent } = await watching();
    const answers: (() => void)[] = [];
    watches.answerReport = () => new Promise((resolve) => answers.push(resolve));
    for (let i = 0; i < 10; i++) await watch.report(`p${i}`, 1, "received");
    stream.send(synced(1));
    const counts: number[] = [];
    for (let i = 0; i < 10; i++) {
      counts.push((await sent()).length);
      answers.shift()?.();
    }
    assert.deepEqual(counts, [4, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    await watch.return();
  });

  it("are sent once if they are made again, and again after the secret was purged", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(live("a", 1, 1), synced(1));
    await take(watch, 2);
    for (const version of [1, 1, 2, 2]) await watch.report("a", version, "in-use");
    assert.deepEqual(await sent(), ["a 1 in-use watch-1 ", "a 2 in-use watch-1 "]);
    watches.answerReport = () => Promise.reject(BROKEN);
    for (const version of [3, 3]) await watch.report("a", version, "in-use");
    assert.equal((await sent()).length, 2, "the server does not have it");
    watches.answerReport = async () => {};
    stream.send(secret({ path: "a", version: 2, purged: true }, 2), live("a", 3, 3));
    await take(watch, 2);
    await watch.report("a", 3, "in-use");
    assert.deepEqual(await sent(), ["a 3 in-use watch-1 "]);
    await watch.return();
  });

  it("are forgotten when the secret is gone", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(live("a", 1, 1), live("c", 1, 1), synced(1));
    await take(watch, 3);
    for (const path of ["a", "b"]) await watch.report(path, 1, "received");
    await watch.report("c", 1, "in-use");
    stream.send(revoked("a", 2), secret({ path: "c", version: 1, purged: true }, 3)).fail(BROKEN);
    await take(watch, 3);
    await sent();
    watches.timers.advance(200);
    (await watches.stream(2)).send(synced(2));
    assert.deepEqual(await sent(), ["b 1 received watch-2 "]);
    await watch.return();
  });

  // The workload still uses the version, also while it may not watch the secret. When it may again, a version that it
  // receives must not count before the one in use, and could release a destroy of it.
  it("of a version in use survive a withdrawal of the rule, during which the server refuses them", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(live("a", 1, 1), synced(1));
    await take(watch, 2);
    await watch.report("a", 1, "in-use");
    watches.answerReport = () => Promise.reject(failed("PERMISSION_DENIED", { reason: "ACCESS_DENIED" }));
    stream.send(revoked("a", 2)).fail(BROKEN);
    await take(watch, 2);
    await sent();
    watches.timers.advance(200);
    const second = await watches.stream(2);
    second.send(synced(2));
    assert.deepEqual(await sent(), ["a 1 in-use watch-2 "]);
    // Only a change of the rules can help, and SYNCED follows it.
    second.send(heartbeat(2));
    assert.deepEqual(await sent(), []);
    watches.answerReport = async () => {};
    second.send(live("a", 2, 3));
    await take(watch, 3);
    await watch.report("a", 2, "received");
    second.send(synced(3));
    assert.deepEqual(await sent(), ["a 1 in-use watch-3 "]);
    await watch.return();
  });

  // The first report concerns a secret that was purged; the second one, a new secret at the same path.
  it("that are refused late do not remove a newer one of the same path", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(live("a", 7, 1), synced(1));
    await take(watch, 2);
    const refuse: (() => void)[] = [];
    watches.answerReport = () =>
      new Promise((_, reject) => refuse.push(() => reject(failed("INVALID_ARGUMENT", { reason: "INVALID_FIELD" }))));
    const first = assert.rejects(watch.report("a", 7, "in-use"), { reason: "INVALID_FIELD" });
    await turns();
    stream.send(secret({ path: "a", version: 7, purged: true }, 2), live("a", 1, 3));
    await take(watch, 2);
    watches.answerReport = async () => {};
    const second = watch.report("a", 1, "in-use");
    for (const answer of refuse) answer();
    await Promise.all([first, second]);
    await sent();
    stream.send(synced(4));
    assert.deepEqual(await sent(), ["a 1 in-use watch-4 "]);
    await watch.return();
  });

  it("that the server refuses fail, and are not sent again", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(synced(1));
    await turns();
    watches.answerReport = () => Promise.reject(failed("INVALID_ARGUMENT", { reason: "INVALID_FIELD" }));
    await assert.rejects(watch.report("a", 1, "received"), { reason: "INVALID_FIELD" });
    await assert.rejects(watch.report("a", 0.5, "received"), { code: "INVALID_ARGUMENT" });
    stream.fail(BROKEN);
    await take(watch, 2);
    await sent();
    watches.timers.advance(200);
    (await watches.stream(2)).send(synced(2));
    assert.deepEqual(await sent(), []);
    await watch.return();
  });

  // The limit can be one of all workloads, and the next stream may find space. Until then, the workload still uses the
  // version: a version that it receives must not count before the one in use.
  it("that exceed a limit fail, and are sent again on the next stream", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(live("a", 1, 1), synced(1));
    await take(watch, 2);
    watches.answerReport = () => Promise.reject(failed("INVALID_ARGUMENT", { reason: "LIMIT_EXCEEDED" }));
    for (let attempt = 0; attempt < 2; attempt++)
      await assert.rejects(watch.report("a", 1, "in-use"), { reason: "LIMIT_EXCEEDED" });
    await sent();
    stream.send(heartbeat(1), live("a", 2, 2));
    await take(watch, 2);
    await watch.report("a", 2, "received");
    assert.deepEqual(await sent(), []);
    stream.fail(BROKEN);
    await take(watch, 1);
    watches.answerReport = async () => {};
    watches.timers.advance(200);
    (await watches.stream(2)).send(synced(2));
    assert.deepEqual(await sent(), ["a 1 in-use watch-2 "]);
    await watch.return();
  });

  // The caller can do nothing about it, and the next stream sends them anyway.
  it("that could not be sent do not fail, and are sent again with the next heartbeat or stream", async () => {
    const { watches, watch, stream, sent } = await watching();
    stream.send(synced(1));
    await turns();
    watches.answerReport = () => Promise.reject(failed("NOT_FOUND", { reason: "WATCH_NOT_FOUND" }));
    await watch.report("a", 1, "received");
    assert.equal((await sent()).length, 1);
    stream.send(heartbeat(1));
    assert.deepEqual(await sent(), ["a 1 received watch-1 "]);
    watches.answerReport = async () => {};
    stream.send(heartbeat(1));
    assert.deepEqual(await sent(), ["a 1 received watch-1 "]);
    stream.send(heartbeat(1));
    assert.deepEqual(await sent(), []);
    await watch.return();
  });

  // A server that does not answer would otherwise delay the end of the program by the timeout of a call.
  it("are ended with the watch", async () => {
    const { watches, watch, stream } = await watching();
    stream.send(synced(1));
    await turns();
    watches.answerReport = (_, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(failed("CANCELLED"))));
    const report = assert.rejects(watch.report("a", 1, "in-use"), { code: "CANCELLED" });
    await watch.return();
    await report;
  });
});
