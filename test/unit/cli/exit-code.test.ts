import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { CommanderError } from "commander";
import { ConfigurationError } from "../../../src/config/option.ts";
import { StartRefused } from "../../../src/domain/start-refused.ts";
import { CommandFailed } from "../../../src/cli/command-failed.ts";
import { change } from "../../../src/cli/unclear-change.ts";
import { errorText } from "../../../src/cli/error-text.ts";
import { exitCodeOf } from "../../../src/cli/exit-code.ts";
import { ClientError, type StatusName } from "../../../src/client/client-error.ts";
import type { Reason } from "../../../src/contract/reasons.ts";
import type { ConnectionFailure } from "../../../src/client/connection-failure.ts";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { SvidRefused } from "../../../src/spiffe/svid-refused.ts";

const id = SpiffeId.parse("spiffe://example.org/coffer");
const answered = (code: StatusName, reason?: Reason) => new ClientError(code, "reported", reason && { reason });
const failed = (failure: ConnectionFailure) => new ClientError("UNAVAILABLE", "reported", { failure });
const maybeApplied = (code: StatusName) => new ClientError(code, "reported", { applied: "unknown" });

function describeError({ code, reason, failure, applied }: ClientError): string {
  const outcome = applied === "unknown" ? ", which may have been applied," : "";
  return `${failure?.kind ?? code} ${reason ?? ""}${outcome}`;
}

describe("exit codes", () => {
  for (const [error, expected] of [
    [answered("INVALID_ARGUMENT"), 2],
    [answered("NOT_FOUND"), 3],
    [answered("PERMISSION_DENIED"), 4],
    [answered("ABORTED", "VERSION_MISMATCH"), 5],
    [answered("ABORTED", "CONTENTION"), 5],
    [answered("FAILED_PRECONDITION", "CAS_REQUIRED"), 2],
    [answered("FAILED_PRECONDITION", "NOT_CONVERGED"), 5],
    [answered("FAILED_PRECONDITION"), 1],
    // Reasons of a newer server. Every object has a property of the second name.
    [answered("NOT_FOUND", "ADDED_LATER" as Reason), 3],
    [answered("INTERNAL", "toString" as Reason), 1],
    [answered("UNAVAILABLE", "REVISION_AHEAD"), 6],
    [answered("NOT_FOUND", "VERSION_EXPIRED"), 3],
    [answered("RESOURCE_EXHAUSTED", "REQUEST_IDS_FULL"), 1],
    [answered("ABORTED"), 1],
    [answered("UNAVAILABLE"), 6],
    [answered("DEADLINE_EXCEEDED"), 6],
    [answered("UNAUTHENTICATED"), 7],
    [answered("RESOURCE_EXHAUSTED", "BUDGET_EXCEEDED"), 6],
    [answered("UNAVAILABLE", "QUEUE_FULL"), 6],
    [answered("RESOURCE_EXHAUSTED", "STORE_FULL"), 1],
    [answered("RESOURCE_EXHAUSTED"), 1],
    [maybeApplied("UNKNOWN"), 8],
    [maybeApplied("DEADLINE_EXCEEDED"), 8],
    [maybeApplied("INTERNAL"), 8],
    [maybeApplied("ABORTED"), 8],
    [answered("INTERNAL"), 1],
    [answered("DATA_LOSS"), 1],
    [failed({ kind: "unreachable", problem: "" }), 6],
    [failed({ kind: "broken", problem: "" }), 6],
    [failed({ kind: "handshake-failed", problem: "" }), 7],
    [failed({ kind: "untrusted-server", refusal: new SvidRefused("untrusted", "") }), 7],
    [failed({ kind: "wrong-server", expected: id, got: id }), 7],
    [failed({ kind: "own-id", id }), 7],
    [failed({ kind: "closed-at-once", as: id, by: id }), 7],
    [new ConfigurationError(["x"]), 2],
    [new StartRefused(["x"]), 2],
    [new CommandFailed("notFound", "x"), 3],
    [new CommandFailed("usage", "x"), 2],
    [new CommanderError(1, "commander.unknownOption", "x"), 2],
    [new CommanderError(0, "commander.helpDisplayed", "x"), 0],
    [new MaterialError("x"), 7],
    [new TypeError("x"), 1],
    ["thrown", 1],
  ] as const) {
    const name = error instanceof ClientError ? describeError(error) : String(error);
    it(`${name} has the code ${expected}`, () => assert.equal(exitCodeOf(error), expected));
  }
});

describe("error texts", () => {
  it("have one line for each problem", () => {
    assert.equal(errorText(new StartRefused(["one", "two"])), "coffer: one\ncoffer: two\n");
    assert.equal(errorText(new MaterialError("one", "two")), "coffer: one\ncoffer: two\n");
    assert.equal(errorText(new CommanderError(1, "x", "said already")), "");
  });

  // Users and scripts retry a command that has failed. A change that may have been applied must be checked before it is
  // retried.
  it("report whether a change may have been applied", async () => {
    const failed = (error: Error) =>
      change({ stderr: new PassThrough() }, () => Promise.reject(error)).catch(errorText);
    assert.match(
      String(await failed(maybeApplied("UNKNOWN"))),
      /^coffer: reported\ncoffer: the change may have been applied: check /,
    );
    const requestId = "0197a3a0-0000-7000-8000-000000000000";
    assert.match(
      String(await failed(new ClientError("UNKNOWN", "reported", { applied: "unknown", requestId }))),
      new RegExp(`check with coffer describe, or retry with --request-id ${requestId}\n$`),
    );
    assert.match(
      String(await failed(answered("FAILED_PRECONDITION", "CAS_REQUIRED"))),
      /^coffer: reported\ncoffer: nothing was changed: .* use --expected-version\n$/,
    );
    assert.equal(
      await failed(answered("FAILED_PRECONDITION", "NOT_CONVERGED")),
      "coffer: reported\ncoffer: nothing was changed: see the watchers with coffer describe\n",
    );
    for (const reason of [undefined, "toString" as Reason])
      assert.equal(await failed(answered("NOT_FOUND", reason)), "coffer: reported\ncoffer: nothing was changed\n");
    assert.equal(errorText(answered("UNKNOWN")), "coffer: reported\n");
  });

  // The message comes from a server, and parts of it from the writer of the secret.
  it("can't move a terminal's cursor", () => {
    assert.equal(errorText(answered("NOT_FOUND")), "coffer: reported\n");
    assert.equal(errorText(new ClientError("NOT_FOUND", "a\u001b[2J")), "coffer: a\\u001b[2J\n");
  });

  it("show a stack only for a bug in Coffer", () => {
    assert.match(errorText(new TypeError("oops")), /^coffer: TypeError: oops\ncoffer: {5}at /);
    const system = Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT", syscall: "open" });
    assert.equal(errorText(system), "coffer: ENOENT: no such file\n");
  });
});
