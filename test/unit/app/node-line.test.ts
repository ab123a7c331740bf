import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixedUntil, unfixedNode } from "../../../src/app/node-line.ts";

const on = (day: string) => Date.parse(`${day}T12:00:00Z`);

describe("the last day of security fixes of a line of Node", () => {
  const rows: [version: string, day: string, warning: string | undefined][] = [
    ["v20.20.2", "2026-04-30", undefined],
    ["v20.20.2", "2026-05-01", "Node 20 has had no security fixes since 2026-04-30; run Node 22, 24 or 26"],
    ["v22.23.3", "2026-11-26", undefined],
    ["v22.23.3", "2027-11-26", "Node 22 has had no security fixes since 2027-04-30; run Node 24 or 26"],
    ["v25.9.0", "2026-11-26", "Node 25 has had no security fixes since 2026-06-01; run Node 26"],
    ["v26.10.0", "2026-11-26", undefined],
    ["v26.10.0", "2030-01-01", "Node 26 has had no security fixes since 2029-04-30; run a newer line"],
    ["v28.0.0", "2030-01-01", undefined],
  ];
  for (const [version, day, warning] of rows) {
    it(`${version} on ${day}: ${warning ?? "no warning"}`, () => assert.equal(unfixedNode(version, on(day)), warning));
  }

  it("depends on the major version, and is undefined for a line that this release does not know", () => {
    assert.equal(fixedUntil("v24.21.0"), "2028-04-30");
    assert.equal(fixedUntil("v28.0.0"), undefined);
  });
});
