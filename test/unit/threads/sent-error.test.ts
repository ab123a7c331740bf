import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CofferError, diskFull, outcomeUnknown, storeFull, versionMismatch } from "../../../src/domain/errors.ts";
import { describeError, restoreError } from "../../../src/threads/sent-error.ts";

function crossed(error: unknown): Error {
  return restoreError(structuredClone(describeError(error)));
}

/** Everything that a caller, a log line or a program can find out about an error. */
function known(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const common = { name, message, stack, text: String(error), cause: known(cause), hasCause: "cause" in error };
  if (!(error instanceof CofferError)) return common;
  const { reason, metadata, retryDelayMs } = error;
  return { ...common, reason, metadata, retryDelayMs };
}

describe("an error between threads", () => {
  // The caller and the log get the same as if the error had been thrown on the front.
  it("keeps its class, its fields, its causes and its stacks", () => {
    const root = new RangeError("root");
    const errors = [
      versionMismatch("a/b", 1, 2),
      storeFull(1000),
      diskFull({ free: 1, needed: 2 }, Object.assign(new Error("SQLITE_FULL"), { name: "SqliteError" })),
      outcomeUnknown(new TypeError("commit", { cause: root })),
      new CofferError("BUDGET_EXCEEDED", "later", { budget: "calls" }, { retryDelayMs: 250 }),
      new TypeError("a bug", { cause: root }),
      Object.assign(new Error("no stack"), { stack: "" }),
    ];
    for (const error of errors) {
      const other = crossed(error);
      assert.notEqual(other, error);
      assert.equal(other instanceof CofferError, error instanceof CofferError);
      assert.deepEqual(known(other), known(error));
    }
  });

  // Code can throw anything. The log must have it, with a stack.
  it("is created for a thrown value that is not an error", () => {
    const error = crossed("thrown text");
    assert.equal(error.message, "thrown text");
    assert.match(error.stack ?? "", /thrown text\n +at /);
    assert.match(String((crossed(new Error("x", { cause: "text" })).cause as Error).message), /^text$/);
  });

  // A library can set any cause. An endless description would end the process.
  it("has a limited number of causes, even if it is its own cause", () => {
    const own = new Error("own");
    own.cause = own;
    let deepest: unknown = crossed(own);
    let causes = 0;
    for (; deepest instanceof Error && deepest.cause !== undefined; deepest = deepest.cause) causes += 1;
    assert.equal(causes, 8);
  });
});
