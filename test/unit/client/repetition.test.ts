import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientError, type StatusName } from "../../../src/client/client-error.ts";
import type { ConnectionFailure } from "../../../src/client/connection-failure.ts";
import { mayGoElsewhere, mayRepeat, pauseMs } from "../../../src/client/repetition.ts";
import { APPLIED, type Applied, type Reason } from "../../../src/contract/reasons.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { SvidRefused } from "../../../src/spiffe/svid-refused.ts";
import { bareCodes, contractErrors } from "../../support/contract-errors.ts";

const ID = SpiffeId.parse("spiffe://example.org/coffer");

function failed(failure: ConnectionFailure, code: StatusName = "UNAVAILABLE", applied: Applied = "no"): ClientError {
  return new ClientError(code, "failed", { failure, applied });
}

describe("what is repeated", () => {
  const broken = { kind: "broken", problem: "ECONNRESET" } as const;

  // A change that was applied, and whose outcome the client does not know, would be applied twice.
  it("is never a call without request_id that may have been applied", () => {
    assert.ok(!mayRepeat(failed(broken, "UNKNOWN", "unknown"), true, false));
    for (const reason of Object.keys(APPLIED) as Reason[]) {
      assert.ok(!mayRepeat(new ClientError("UNAVAILABLE", "", { reason, applied: "unknown" }), true, false), reason);
    }
    // The control: the same failure of a call that was not applied.
    assert.ok(mayRepeat(failed(broken), true, false));
  });

  // The server applies a change with a request_id once. Each row of the contract whose outcome is unknown is repeated.
  it("is a change with a request_id whose outcome is unknown, with the reasons and the codes of the contract", () => {
    const isRepeated = (error: ClientError) => mayRepeat(error, false, true);
    assert.ok(isRepeated(failed(broken, "UNKNOWN", "unknown")));
    assert.ok(isRepeated(failed({ kind: "no-answer", wasSent: true }, "DEADLINE_EXCEEDED", "unknown")));
    const unknown = contractErrors().filter(({ reason, applied }) => reason !== "(none)" && applied === "unknown");
    assert.deepEqual(unknown.map(({ reason }) => reason).sort(), ["DEADLINE_EXCEEDED", "INTERNAL", "OUTCOME_UNKNOWN"]);
    for (const { code, reason } of unknown)
      assert.ok(
        isRepeated(new ClientError(code as StatusName, "", { reason: reason as Reason, applied: "unknown" })),
        reason,
      );
    const codes = [...bareCodes()].filter(([, applied]) => applied === "unknown");
    assert.ok(codes.length >= 6);
    for (const [code] of codes)
      assert.ok(isRepeated(new ClientError(code as StatusName, "", { applied: "unknown" })), code);
  });

  // A newer server may refuse each repetition for a reason that this release does not know.
  it("is not a change with a reason that this release does not know", () => {
    const reason = "OF_A_NEWER_SERVER" as Reason;
    assert.ok(!mayRepeat(new ClientError("ABORTED", "", { reason, applied: "unknown" }), true, true));
  });

  it("is a call with a reason that is temporary according to the contract", () => {
    const repeated = (Object.keys(APPLIED) as Reason[]).filter((reason) =>
      mayRepeat(new ClientError("UNAVAILABLE", "", { reason }), true, true),
    );
    assert.deepEqual(repeated.sort(), [
      "BUDGET_EXCEEDED",
      "CONTENTION",
      "QUEUE_FULL",
      "REVISION_AHEAD",
      "SHUTTING_DOWN",
      "SVID_EXPIRED",
    ]);
  });

  // Whether the call is repeated with waitForReady and without it, and whether it is made at another server immediately.
  const rows: [failure: ConnectionFailure, waiting: boolean, failing: boolean, elsewhere: boolean][] = [
    [{ kind: "no-identity", problems: [] }, true, false, false],
    [{ kind: "unreachable", problem: "ECONNREFUSED" }, true, false, true],
    [{ kind: "handshake-failed", problem: "closed" }, true, false, true],
    [{ kind: "closed-at-once", as: ID, by: ID }, true, false, true],
    [{ kind: "broken", problem: "ECONNRESET" }, true, true, true],
    [{ kind: "no-answer", wasSent: false }, true, true, true],
    [{ kind: "untrusted-server", refusal: new SvidRefused("untrusted", "no CA") }, false, false, true],
    [{ kind: "wrong-server", expected: ID, got: ID }, false, false, true],
    [{ kind: "own-id", id: ID }, false, false, false],
  ];
  for (const [failure, waiting, failing, elsewhere] of rows) {
    it(`is ${waiting ? "" : "not "}a call that ended with ${failure.kind}`, () => {
      assert.equal(mayRepeat(failed(failure), true, false), waiting);
      assert.equal(mayRepeat(failed(failure), false, false), failing);
      assert.equal(mayGoElsewhere(failed(failure)), elsewhere);
    });
  }

  it("is not a call whose identity source has failed", () => {
    assert.ok(!mayRepeat(failed({ kind: "no-identity", problems: [] }, "FAILED_PRECONDITION"), true, true));
  });

  it("is a call without a reason whose code is that of a failed connection, and not that of a refusal", () => {
    const isRepeated = (code: StatusName, message = "") => mayRepeat(new ClientError(code, message), true, false);
    const codes = ["UNAVAILABLE", "ABORTED", "CANCELLED", "UNKNOWN"] as const;
    for (const code of codes) assert.ok(isRepeated(code), code);
    assert.ok(isRepeated("INTERNAL", "Received RST_STREAM with code 2 (Internal server error)"));
    const others = [
      "INTERNAL",
      "UNIMPLEMENTED",
      "RESOURCE_EXHAUSTED",
      "PERMISSION_DENIED",
      "INVALID_ARGUMENT",
    ] as const;
    for (const code of others) assert.ok(!isRepeated(code), code);
  });
});

describe("the pause before the next attempt", () => {
  it("doubles up to a second, varies by a quarter, and is at least the server's delay", () => {
    const middle = (attempts: number) => pauseMs(attempts, undefined, () => 0.5);
    assert.deepEqual([1, 2, 3, 4, 5, 6, 60].map(middle), [50, 100, 200, 400, 800, 1000, 1000]);
    assert.equal(
      pauseMs(1, undefined, () => 0),
      37.5,
    );
    assert.equal(
      pauseMs(1, 700, () => 0.5),
      700,
    );
    assert.equal(
      pauseMs(6, 700, () => 0.5),
      1000,
    );
  });
});
