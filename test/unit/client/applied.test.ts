import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mayBeApplied } from "../../../src/client/applied.ts";
import { ClientError, type StatusName, type Told } from "../../../src/client/client-error.ts";
import { SpiffeId } from "../../../src/identity/spiffe-id.ts";
import { contractErrors } from "../docs/contract-errors.ts";

const ID = SpiffeId.parse("spiffe://example.org/a");

const failed = (code: StatusName, told: Told = {}) => mayBeApplied(new ClientError(code, "", told));

// A person who is told that nothing was changed will repeat a Put without looking.
describe("a change that failed", () => {
  // "unknown" in the contract is the one thing that leaves it open; everything else was not applied.
  it("may be applied exactly where the contract does not know", () => {
    const errors = contractErrors();
    assert.ok(errors.length > 10);
    for (const { code, reason, applied } of errors) {
      const told = { reason } as Told;
      assert.equal(failed(code as StatusName, told), applied === "unknown", reason);
    }
  });

  it("may be applied when it may have been sent", () => {
    assert.equal(failed("UNAVAILABLE", { failure: { kind: "broken", problem: "" } }), true);
    assert.equal(failed("UNAVAILABLE", { failure: { kind: "closed-at-once", as: ID, by: ID } }), true);
    assert.equal(failed("DEADLINE_EXCEEDED", { failure: { kind: "no-answer", wasSent: true } }), true);
    for (const code of ["CANCELLED", "UNKNOWN", "UNAVAILABLE"] as const) assert.equal(failed(code), true, code);
  });

  it("is not applied when it was not sent, or was refused unread", () => {
    assert.equal(failed("UNAVAILABLE", { failure: { kind: "unreachable", problem: "" } }), false);
    assert.equal(failed("UNAVAILABLE", { failure: { kind: "wrong-server", expected: ID, got: ID } }), false);
    assert.equal(failed("DEADLINE_EXCEEDED", { failure: { kind: "no-answer", wasSent: false } }), false);
    assert.equal(failed("RESOURCE_EXHAUSTED"), false);
  });
});
