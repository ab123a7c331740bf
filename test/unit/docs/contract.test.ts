import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { APPLIED, type Reason } from "../../../src/contract/reasons.ts";
import { codeName } from "../../../src/grpc/status.ts";
import { contractErrors } from "../../support/contract-errors.ts";

/** The members of the type, which is gone at run time. */
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
    for (const { code, reason } of contractErrors()) assert.equal(codeName(reason as Reason), code, reason);
  });

  it("says of each reason what Coffer's own client concludes from it", () => {
    const told = contractErrors().map(({ reason, applied }) => [reason, applied]);
    assert.deepEqual(Object.fromEntries(told), APPLIED);
  });

  // gRPC's retryableStatusCodes and Envoy's retry_on go by the code alone, and UNAVAILABLE is what they name.
  it("has UNAVAILABLE and ABORTED for what was not applied, and for nothing else", () => {
    const codes = contractErrors().filter(({ code }) => code === "UNAVAILABLE" || code === "ABORTED");
    assert.deepEqual(
      codes.map(({ reason, applied }) => [reason, applied]),
      [
        ["VERSION_MISMATCH", "no"],
        ["CONTENTION", "no"],
        ["SHUTTING_DOWN", "no"],
      ],
    );
  });
});

describe("the comments of the RPCs", () => {
  // A reason that was renamed would live on in a list of errors.
  it("name only reasons that there are", () => {
    const proto = readFileSync("proto/coffer/v1/coffer.proto", "utf8");
    const lists = [...proto.matchAll(/^ {2}\/\/ Errors:(.*?)^ {2}rpc /gms)].map(([, list]) => list!);
    assert.equal(lists.length, 5);
    const named = lists.flatMap((list) => list.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? []);
    assert.ok(named.length > 20);
    assert.deepEqual(
      named.filter((name) => !reasons.some((reason) => reason === name)),
      [],
    );
  });
});
