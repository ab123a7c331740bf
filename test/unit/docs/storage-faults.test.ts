import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { page, table } from "../../support/pages.ts";

const rules = table(page("docs/storage-faults.md"), "Rule", "Fault", "Memory", "Callers", "Process", "Tests");

describe("docs/storage-faults.md", () => {
  // Each rule names the tests that check it, by their titles.
  it("names tests that exist, for every rule", () => {
    assert.deepEqual([...new Set(rules.map((row) => row["Rule"]))], ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"]);
    for (const row of rules) {
      for (const cell of ["Memory", "Callers", "Process"]) assert.ok(row[cell]!.length > 0, `${row["Fault"]}: ${cell}`);
      const named = row["Tests"]!.split("; ").map((one) => /^`([^`]+)`: (.*)$/.exec(one));
      for (const [, file, titles] of named as unknown as [string, string, string][]) {
        const source = readFileSync(file, "utf8");
        for (const [, title] of titles.matchAll(/"([^"]+)"/g)) assert.ok(source.includes(title!), `${file}: ${title}`);
      }
    }
  });
});
