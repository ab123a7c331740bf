import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bareCodes, contractErrors } from "../../support/contract-errors.ts";
import { page, table } from "../../support/pages.ts";

const errors = table(page("docs/guarantees.md"), "Code", "Reason", "Applied?", "What to do").filter(
  ({ Code }) => Code !== "OK",
);

describe("the table of errors in docs/guarantees.md", () => {
  // A code without a reason comes from a library or a proxy. A caller must not conclude more than the contract states.
  it("agrees with the contract about each code without a reason", () => {
    const bare = errors.filter(({ Reason }) => Reason === "none");
    assert.deepEqual(new Map(bare.map((row) => [row["Code"]!, row["Applied?"]!])), bareCodes());
  });

  it("agrees with the contract about each reason, and has every reason of a change", () => {
    const contract = new Map(contractErrors().map((error) => [error.reason, error]));
    const rows = errors
      .filter(({ Reason }) => Reason !== "none")
      .flatMap((row) =>
        row["Reason"]!.split(", ").map((reason) => ({ code: row["Code"], reason, applied: row["Applied?"] })),
      );
    assert.deepEqual(
      rows,
      rows.map(({ reason }) => contract.get(reason)),
    );
    // Only calls that read fail with these.
    const others = ["ANSWER_TOO_LARGE", "INVALID_PAGE_TOKEN", "REVISION_AHEAD"];
    assert.deepEqual([...rows.map(({ reason }) => reason), ...others].sort(), [...contract.keys()].sort());
  });
});
