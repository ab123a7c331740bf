import assert from "node:assert/strict";
import { once } from "node:events";
import { type ServerHttp2Session, type ServerHttp2Stream, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { MaterialError } from "../../src/spiffe/material-error.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { response } from "../support/spire-domain.ts";
import { generation, stateWithProblem, WorkloadApiKit } from "../support/workload-api-kit.ts";

const HOUR = 3600_000;

/** The longest pause between two requests, in milliseconds. An open stream without a message ends after a longer time. */
const MAX_PAUSE_MS = 30_000;

let kit: WorkloadApiKit;
beforeEach(async () => {
  kit = await WorkloadApiKit.start();
});
afterEach(() => kit.close());

describe("without an identity", () => {
  it("the source waits, and adopts it when it arrives: no entry yet", async () => {
    const source = kit.open();
    const { kind, problems } = await stateWithProblem(source, /PERMISSION_DENIED: no identity issued$/);
    assert.equal(kind, "waiting");
    assert.equal(problems.length, 1);
    kit.server.send(response([kit.example.issue("/api")]));
    assert.equal(kit.advanceToNext(), 1000);
    await generation(source, 1);
  });

  it("the source waits, and adopts it when it arrives: no socket yet", async () => {
    await kit.server.stop();
    const source = kit.open();
    const { kind, problems } = await stateWithProblem(source, /ENOENT/);
    assert.equal(kind, "waiting");
    assert.deepEqual(problems, [`the Workload API at ${kit.server.endpoint} can't be reached: ENOENT`]);
    await kit.server.restart();
    kit.server.send(response([kit.example.issue("/api")]));
    kit.advanceToNext();
    await generation(source, 1);
  });

  // Before Node 26, node:http2 does not close a stream that its server resets with NO_ERROR before the request is sent, and
  // grpc-js waits for that. The same happens with an API that accepts a stream and hangs.
  it("the source requests it again if the API resets a stream without a status, or does not answer", async () => {
    for (const isReset of [true, false]) {
      const api = createServer({ settings: { initialWindowSize: 0 } });
      const sessions: ServerHttp2Session[] = [];
      api.on("session", (session) => sessions.push(session));
      const arrived = once(api, "stream");
      await once(api.listen(0, "127.0.0.1"), "listening");
      const source = kit.open(undefined, `tcp://127.0.0.1:${(api.address() as AddressInfo).port}`);
      const [stream] = (await arrived) as [ServerHttp2Stream];
      stream.on("error", () => {});
      if (isReset) stream.close(constants.NGHTTP2_NO_ERROR);
      // 1000: the source knows of the reset already, and waits before it retries.
      if (kit.timers.pauses[0] !== 1000) kit.advanceToNext();
      await stateWithProblem(source, /sent nothing for 120 seconds$|RST_STREAM with code 0/);
      const again = once(api, "stream");
      kit.advanceToNext();
      await again;
      source.close();
      assert.deepEqual(kit.timers.pauses, []);
      // The client can't close the connection of a stream that does not end.
      for (const session of sessions) session.destroy();
      api.close();
    }
  });

  it("the source requests it immediately on demand, and not after close", async () => {
    const source = kit.open();
    await stateWithProblem(source, /PERMISSION_DENIED/);
    kit.server.send(response([kit.example.issue("/api")]));
    source.reload();
    await generation(source, 1);
    source.close();
    source.reload();
    assert.deepEqual(kit.timers.pauses, []);
  });

  for (const [code, details] of [
    [status.UNAVAILABLE, "workload attestation failed: EPERM"],
    [status.RESOURCE_EXHAUSTED, "rate limit exceeded"],
    [status.INTERNAL, "oops"],
    [status.CANCELLED, "gone"],
  ] as const) {
    it(`the source retries after ${status[code]}`, async () => {
      kit.server.fail(code, details);
      const source = kit.open();
      await stateWithProblem(source, new RegExp(`ended the stream with ${status[code]}: ${details}$`));
      assert.equal(source.state.kind, "waiting");
      kit.server.send(response([kit.example.issue("/api")]));
      kit.advanceToNext();
      await generation(source, 1);
    });
  }

  for (const code of [status.INVALID_ARGUMENT, status.UNIMPLEMENTED]) {
    it(`the source gives up after ${status[code]}, because the next request would be the same`, async () => {
      kit.server.fail(code, "no");
      const source = kit.open();
      await assert.rejects(whenReady(source), (error) => {
        assert.ok(error instanceof MaterialError);
        assert.match(error.message, new RegExp(`^the Workload API at .* ended the stream with ${status[code]}: no$`));
        return true;
      });
      assert.equal(source.state.kind, "failed");
      assert.deepEqual(kit.timers.pauses, []);
    });
  }

  // The request was valid before, so the error is temporary, as when an agent is replaced by another release.
  it("the source retries after UNIMPLEMENTED if it was answered before", async () => {
    kit.server.send(response([kit.example.issue("/api")]));
    const source = kit.open();
    await generation(source, 1);
    kit.server.fail(status.UNIMPLEMENTED, "not yet");
    await stateWithProblem(source, /UNIMPLEMENTED: not yet$/);
    assert.equal(source.state.kind, "ready");
    kit.server.send(response([kit.example.issue("/api")]));
    kit.advanceToNext();
    await generation(source, 2);
  });

  it("the reason is reported once for any number of retries, and again when it changes", async () => {
    const source = kit.open();
    const reported: string[] = [];
    source.onState(({ problems }) => reported.push(...problems));
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      await attempts(attempt);
      pauses.push(kit.advanceToNext());
    }
    kit.server.fail(status.UNAVAILABLE, "workload attestation failed");
    await attempts(5);
    kit.advanceToNext();
    await stateWithProblem(source, /attestation/);
    assert.deepEqual(pauses, [1000, 2000, 3000, 4000]);
    assert.equal(reported.length, 2);
    assert.match(reported.join(), /no identity issued,.*attestation failed$/);
  });

  /** Resolves when this number of requests has been answered, and the next one waits for its time. */
  async function attempts(count: number): Promise<void> {
    const waits = () => (kit.timers.pauses[0] ?? Infinity) <= MAX_PAUSE_MS;
    while (kit.server.calls.length < count || !waits()) await new Promise(setImmediate);
  }
});

describe("when the Workload API is lost", () => {
  it("the identity stays in use until the next stream delivers another", async () => {
    kit.server.send(response([kit.example.issue("/api")]));
    const source = kit.open();
    const before = await generation(source, 1);
    await kit.server.kill();
    await stateWithProblem(source, /the Workload API at unix:.* (can't be reached|ended the stream with UNAVAILABLE)/);
    assert.equal(source.snapshot(), before);
    kit.advanceToNext();
    await stateWithProblem(source, /can't be reached: ECONNREFUSED$/);
    assert.equal(source.snapshot(), before);
    await kit.server.restart();
    kit.server.send(response([kit.example.issue("/api")]));
    assert.equal(kit.advanceToNext(), 2000);
    await generation(source, 2);
    assert.deepEqual(source.state.problems, []);
  });

  it("the pauses start again from the shortest after a valid message", async () => {
    kit.server.send(response([kit.example.issue("/api")]));
    const source = kit.open();
    for (let round = 1; round <= 3; round++) {
      await generation(source, round);
      kit.server.interrupt(status.UNAVAILABLE, `round ${round}`);
      await stateWithProblem(source, new RegExp(`round ${round}$`));
      kit.server.send(response([kit.example.issue("/api")]));
      assert.equal(kit.advanceToNext(), 1000);
    }
    await generation(source, 4);
  });

  it("the identity and its bundles end when the SVID expires", async () => {
    kit.server.send(response([kit.example.issue("/api")]));
    const source = kit.open();
    await generation(source, 1);
    kit.server.deny();
    assert.equal((await stateWithProblem(source, /PERMISSION_DENIED: no identity issued$/)).kind, "ready");
    kit.timers.advance(HOUR);
    assert.equal(source.state.kind, "ready");
    kit.timers.advance(1);
    const { kind, problems } = source.state;
    assert.equal(kind, "waiting");
    assert.match(problems[0]!, /^the X.509-SVID of spiffe:\/\/example\.org\/api expired at 2026-/);
    // The API has no time to answer the request that the source makes during this hour.
    assert.match(problems[1]!, /PERMISSION_DENIED|sent nothing for 120 seconds/);
    assert.throws(() => source.snapshot(), MaterialError);
  });
});

describe("a source that is closed", () => {
  it("ends its stream, reports nothing and leaves no timer", async () => {
    kit.server.send(response([kit.example.issue("/api")]));
    const source = kit.open();
    await generation(source, 1);
    source.onState(() => assert.fail("reported after close"));
    assert.equal(kit.server.streams, 1);
    source.close();
    while (kit.server.streams > 0) await new Promise(setImmediate);
    assert.deepEqual(kit.timers.pauses, []);
    assert.equal(source.snapshot().generation, 1);
  });

  it("makes no further request", async () => {
    const source = kit.open();
    await stateWithProblem(source, /PERMISSION_DENIED/);
    source.close();
    assert.deepEqual(kit.timers.pauses, []);
  });
});
