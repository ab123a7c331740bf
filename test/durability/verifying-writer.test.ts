import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contentOf } from "../support/dump.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { VerifyingWriter } from "../support/verifying-writer.ts";
import { Ledger } from "../support/ledger.ts";

// Other tests check servers with this writer. This test checks the writer itself against simulated faulty servers.

const ANSWERED = { message: "", reason: undefined, metadata: {} };

type Answer = { readonly code: string; readonly version?: number };

/** A server that returns these answers to alternating Puts and Gets. Gets return the last put value. */
function answering(answers: readonly Answer[]): Pick<Caller, "put" | "get"> & { readonly isDone: () => boolean } {
  const left = [...answers];
  let content = {};
  const next = async (): Promise<Outcome> => {
    const { code, version = 0 } = left.shift()!;
    return { ...ANSWERED, code, response: { ...content, version, revision: version, create_time: { seconds: 0 } } };
  };
  const put = (request: object) => {
    content = contentOf((request as { data: { text: string } }).data.text);
    return next();
  };
  return { put, get: next, isDone: () => left.length === 0 };
}

async function complaints(...answers: Answer[]): Promise<string> {
  const caller = answering(answers);
  const [onAnswer, onFailure] = [() => {}, () => {}];
  const options = { caller: caller as unknown as Caller, ledger: new Ledger(), path: "a", onAnswer, onFailure };
  const writer = new VerifyingWriter(options);
  await writer.run(caller.isDone);
  return writer.complaints.join("; ");
}

const ok = (version: number): Answer => ({ code: "OK", version });
const NO_RESPONSE: Answer = { code: "UNAVAILABLE" };

describe("VerifyingWriter", () => {
  it("accepts a server that returns each acknowledged Put, and may or may not return a Put without a response", async () => {
    assert.equal(await complaints(ok(1), ok(1), ok(2), ok(2)), "");
    assert.equal(await complaints(ok(1), ok(1), NO_RESPONSE, NO_RESPONSE, ok(1), ok(2), ok(2)), "");
    assert.equal(await complaints(ok(1), ok(1), NO_RESPONSE, ok(2), ok(3), ok(3)), "");
    assert.equal(await complaints(NO_RESPONSE, { code: "NOT_FOUND" }, ok(1), ok(1)), "");
  });

  it("reports a Get of an earlier version than the acknowledged one", async () => {
    assert.match(await complaints(ok(1), ok(1), ok(2), ok(1)), /version 1, expected 2 to 2/);
    assert.match(await complaints(ok(1), ok(1), ok(2), NO_RESPONSE, ok(2), ok(2)), /version 2, expected 3 to 3/);
  });

  it("reports a version that it did not put", async () => {
    assert.match(await complaints(ok(2), ok(2)), /version 2, expected 1 to 1/);
    assert.match(await complaints(ok(1), ok(1), NO_RESPONSE, ok(3)), /version 3, expected 1 to 2/);
    assert.match(
      await complaints(ok(1), ok(1), { code: "ABORTED" }, ok(1)),
      /VERSION_MISMATCH, although 1 is the latest version/,
    );
  });
});
