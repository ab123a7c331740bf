import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChangeOptions } from "../../../src/client/call-options.ts";
import { ClientError, type ErrorFacts, type StatusName } from "../../../src/client/client-error.ts";
import { type InternalOptions, readSettings } from "../../../src/client/client-options.ts";
import type { CallLimits } from "../../../src/client/identity-channel.ts";
import { type IdentifiedRequest, type Method, methods } from "../../../src/client/methods.ts";
import { Pauses } from "../../../src/client/pauses.ts";
import { RepeatedCalls } from "../../../src/client/repeated-calls.ts";
import type { ServerChannels } from "../../../src/client/server-channels.ts";
import type { PutRequest } from "../../../src/contract/messages.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const REQUEST: PutRequest = {
  path: "a",
  data: [],
  binaryData: [],
  ttl: undefined,
  expireTime: undefined,
  expectedVersion: undefined,
  requestId: "",
};
const ANSWER = { path: "a", version: 1, revision: 1, createTime: 0, expireTime: undefined, storeRevision: 1 };
const CHOSEN = "b6a1c2d3-0000-4000-8000-00000000000a";

const failed = (code: StatusName, facts: ErrorFacts) => new ClientError(code, code, facts);
const BROKEN = failed("UNKNOWN", { failure: { kind: "broken", problem: "ECONNRESET" }, applied: "unknown" });
const UNREACHABLE = failed("UNAVAILABLE", { failure: { kind: "unreachable", problem: "ECONNREFUSED" } });
const FULL = failed("RESOURCE_EXHAUSTED", { reason: "REQUEST_IDS_FULL" });
const LAST = Symbol("the last error, again and again");

/** Calls with a script: an error for each attempt, then an answer, or the last error until the time is over. */
class ScriptedCalls {
  readonly timers = new ManualTimers(0);
  /** The request_id of each attempt. */
  readonly requestIds: string[] = [];
  readonly limits: CallLimits[] = [];
  readonly #script: (ClientError | typeof LAST)[];
  readonly #calls: RepeatedCalls;
  #last = BROKEN;
  #ids = 0;

  constructor(script: readonly (ClientError | typeof LAST)[], options: Partial<InternalOptions> = {}) {
    this.#script = [...script];
    const settings = readSettings({
      address: "a:1",
      serverId: "spiffe://example.org/coffer",
      timers: this.timers,
      random: () => 0.5,
      newRequestId: () => `id-${++this.#ids}`,
      ...options,
    });
    const channels = { call: this.#call } as Pick<ServerChannels, "call">;
    this.#calls = new RepeatedCalls(settings, channels, new Pauses(this.timers));
  }

  /** Makes a Put. The clock advances whenever the client waits. */
  async put(options: ChangeOptions = {}): Promise<unknown> {
    let isOver = false;
    const call = this.#calls.change(methods.put, REQUEST, options).finally(() => {
      isOver = true;
    });
    call.catch(() => {});
    while (!isOver) {
      await new Promise(setImmediate);
      const [pause] = this.timers.pauses;
      if (pause !== undefined) this.timers.advance(pause);
    }
    return call;
  }

  async failure(options: ChangeOptions = {}): Promise<ClientError> {
    const error = await this.put(options).then(
      () => undefined,
      (problem: unknown) => problem,
    );
    assert.ok(error instanceof ClientError, String(error));
    return error;
  }

  readonly #call = async <Request, Response>(
    _method: Method<Request, Response>,
    request: Request,
    limits: CallLimits,
  ): Promise<Response> => {
    this.requestIds.push((request as IdentifiedRequest).requestId);
    this.limits.push(limits);
    const next = this.#script[0] === LAST ? this.#last : this.#script.shift();
    if (next === undefined) return ANSWER as Response;
    this.#last = next as ClientError;
    throw next;
  };
}

describe("a change", () => {
  // The server answers the second attempt as the first one, and applies nothing.
  it("is repeated with the same request_id while its outcome is unknown", async () => {
    const unknown: ClientError[] = [
      BROKEN,
      failed("UNKNOWN", { reason: "OUTCOME_UNKNOWN", applied: "unknown" }),
      failed("INTERNAL", { reason: "INTERNAL", applied: "unknown" }),
      failed("DEADLINE_EXCEEDED", { reason: "DEADLINE_EXCEEDED", applied: "unknown" }),
      failed("DEADLINE_EXCEEDED", { failure: { kind: "no-answer", wasSent: true }, applied: "unknown" }),
      failed("CANCELLED", { applied: "unknown" }),
    ];
    const calls = new ScriptedCalls(unknown);
    assert.deepEqual(await calls.put(), ANSWER);
    assert.deepEqual(calls.requestIds, Array(7).fill("id-1"));
    assert.ok(calls.limits.every(({ isRepeatable }) => isRepeatable));
  });

  it("has another request_id than the next change", async () => {
    const calls = new ScriptedCalls([]);
    await calls.put();
    await calls.put();
    assert.deepEqual(calls.requestIds, ["id-1", "id-2"]);
  });

  // The control: without a request_id, the second attempt could be a second change.
  it("is not repeated without a request_id, and its error has none", async () => {
    const calls = new ScriptedCalls([BROKEN], { requestIds: false });
    const { applied, requestId } = await calls.failure();
    assert.deepEqual([applied, requestId, calls.requestIds], ["unknown", undefined, [""]]);
    assert.deepEqual(
      calls.limits.map(({ isRepeatable }) => isRepeatable),
      [false],
    );
  });

  it("has a request_id also if the client repeats nothing, so that the caller can repeat it", async () => {
    const calls = new ScriptedCalls([BROKEN], { retry: false });
    const { applied, requestId } = await calls.failure();
    assert.deepEqual([applied, requestId, calls.requestIds], ["unknown", "id-1", ["id-1"]]);
    assert.deepEqual(
      calls.limits.map(({ isRepeatable }) => isRepeatable),
      [false],
    );
  });

  it("has the request_id that the caller chooses, also if the client generates none", async () => {
    for (const requestIds of [true, false]) {
      const calls = new ScriptedCalls([BROKEN], { requestIds });
      await calls.put({ requestId: CHOSEN });
      assert.deepEqual(calls.requestIds, [CHOSEN, CHOSEN]);
    }
  });

  it("is not sent with a request_id that is not a UUID", async () => {
    for (const requestId of ["", "id", `${CHOSEN}0`, 7 as never]) {
      const calls = new ScriptedCalls([]);
      assert.equal((await calls.failure({ requestId })).message, "requestId is not a UUID");
      assert.deepEqual(calls.requestIds, []);
    }
  });

  it("fails with an unknown outcome when its time is over, and the error has its request_id", async () => {
    const calls = new ScriptedCalls([BROKEN, LAST]);
    const { code, applied, requestId, failure } = await calls.failure();
    assert.deepEqual([code, applied, requestId, failure?.kind], ["UNKNOWN", "unknown", "id-1", "broken"]);
    assert.ok(calls.requestIds.length > 5);
  });
});

// The last attempt of a change may not have been applied, but an earlier one may have been. UNAVAILABLE always means
// that nothing was applied.
describe("a change that fails after an attempt with an unknown outcome", () => {
  const refusals: [what: string, last: ClientError, code: StatusName][] = [
    ["the server is not reached again", UNREACHABLE, "UNKNOWN"],
    ["the policy no longer allows it", failed("PERMISSION_DENIED", { reason: "ACCESS_DENIED" }), "PERMISSION_DENIED"],
    ["the server shuts down", failed("UNAVAILABLE", { reason: "SHUTTING_DOWN" }), "UNKNOWN"],
    ["there is no space for request_ids", FULL, "RESOURCE_EXHAUSTED"],
  ];
  for (const [what, last, code] of refusals) {
    it(`has an unknown outcome if ${what}, and the error has its request_id`, async () => {
      const calls = new ScriptedCalls([BROKEN, last, LAST]);
      const error = await calls.failure();
      assert.deepEqual([error.code, error.applied, error.requestId], [code, "unknown", "id-1"]);
      assert.equal(error.reason, last.reason);
      assert.match(error.message, new RegExp(`^${last.message}; an earlier attempt may have been applied: UNKNOWN$`));
      // The control: the same failure of the first attempt.
      const only = await new ScriptedCalls([last, LAST]).failure();
      assert.deepEqual([only.applied, only.requestId], ["no", undefined]);
    });
  }

  // The server looks for the request_id first, and the version numbers of a secret do not decrease.
  it("was not applied if its expected version has passed", async () => {
    const mismatch = failed("ABORTED", { reason: "VERSION_MISMATCH" });
    const error = await new ScriptedCalls([BROKEN, mismatch]).failure();
    assert.deepEqual([error, error.applied], [mismatch, "no"]);
  });

  it("has an unknown outcome if its signal is aborted during the pause", async () => {
    const abort = new AbortController();
    const random = () => {
      abort.abort(new Error("enough"));
      return 0.5;
    };
    const error = await new ScriptedCalls([BROKEN], { random }).failure({ signal: abort.signal });
    assert.deepEqual([error.applied, error.requestId], ["unknown", "id-1"]);
  });
});

describe("a change of a caller that has no space for another request_id", () => {
  it("is made once without one, and then not repeated", async () => {
    const calls = new ScriptedCalls([FULL, BROKEN]);
    const { applied, requestId } = await calls.failure();
    assert.deepEqual([applied, requestId, calls.requestIds], ["unknown", undefined, ["id-1", ""]]);
    const answered = new ScriptedCalls([FULL]);
    assert.deepEqual(await answered.put(), ANSWER);
    assert.deepEqual(answered.requestIds, ["id-1", ""]);
  });

  it("is made without one also if the client repeats nothing", async () => {
    const calls = new ScriptedCalls([FULL], { retry: false });
    assert.deepEqual(await calls.put(), ANSWER);
  });

  // The caller relies on the request_id that it has chosen.
  it("fails if the caller has chosen the request_id", async () => {
    const calls = new ScriptedCalls([FULL]);
    assert.equal((await calls.failure({ requestId: CHOSEN })).reason, "REQUEST_IDS_FULL");
    assert.deepEqual(calls.requestIds, [CHOSEN]);
  });
});
