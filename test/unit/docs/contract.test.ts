import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { APPLIED, type Reason } from "../../../src/contract/reasons.ts";
import { codeName, codeOf } from "../../../src/grpc/status.ts";
import { contractErrors } from "../../support/contract-errors.ts";

/** The members of the type Reason, which does not exist at run time. */
const reasons = [...readFileSync("src/contract/reasons.ts", "utf8").matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(
  ([, reason]) => reason as Reason,
);

describe("the table of errors in coffer.proto", () => {
  it("has every reason once, and no other", () => {
    assert.ok(reasons.length > 10);
    assert.deepEqual(
      contractErrors()
        .map(({ reason }) => reason)
        .sort(),
      [...reasons].sort(),
    );
  });

  it("gives each reason the code that the server sends", () => {
    for (const { code, reason } of contractErrors()) assert.equal(codeName(codeOf(reason as Reason)), code, reason);
  });

  it("states for each reason whether the change was applied, as Coffer's own client concludes", () => {
    const documented = contractErrors().map(({ reason, applied }) => [reason, applied]);
    assert.deepEqual(Object.fromEntries(documented), APPLIED);
  });

  // gRPC's retryableStatusCodes and Envoy's retry_on decide by the code alone, and usually name UNAVAILABLE.
  it("has UNAVAILABLE and ABORTED only for changes that were not applied", () => {
    const codes = contractErrors().filter(({ code }) => code === "UNAVAILABLE" || code === "ABORTED");
    assert.deepEqual(
      codes.map(({ reason, applied }) => [reason, applied]),
      [
        ["VERSION_MISMATCH", "no"],
        ["CONTENTION", "no"],
        ["REVISION_AHEAD", "no"],
        ["SHUTTING_DOWN", "no"],
        ["QUEUE_FULL", "no"],
      ],
    );
  });
});

describe("the comments of the RPCs", () => {
  // A list of errors could otherwise keep a reason that was renamed.
  it("name only reasons that exist", () => {
    const proto = readFileSync("proto/coffer/v1/coffer.proto", "utf8");
    const lists = [...proto.matchAll(/^ {2}\/\/ Errors:(.*?)^ {2}rpc /gms)].map(([, list]) => list!);
    assert.equal(lists.length, 16);
    const named = lists.flatMap((list) => list.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? []);
    assert.ok(named.length > 20);
    assert.deepEqual(
      named.filter((name) => !reasons.some((reason) => reason === name)),
      [],
    );
  });
});
