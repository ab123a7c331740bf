import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { differencesOf } from "../../../src/cli/version-difference.ts";
import type { ContentEntry } from "../../../src/domain/content.ts";

const text = (key: string, value: string): ContentEntry => ({ key, kind: "text", value: Buffer.from(value) });
const binary = (key: string, value: string): ContentEntry => ({ key, kind: "binary", value: Buffer.from(value) });

describe("the difference of two versions", () => {
  it("has the keys that were added, removed and changed, ascending", () => {
    const before = [text("same", "1"), text("z", "1"), text("b", "1")];
    const after = [text("a", "1"), text("z", "2"), text("same", "1")];
    assert.deepEqual(differencesOf(before, after), [
      { key: "a", change: "added", before: undefined, after: text("a", "1") },
      { key: "b", change: "removed", before: text("b", "1"), after: undefined },
      { key: "z", change: "changed", before: text("z", "1"), after: text("z", "2") },
    ]);
  });

  // Clients get a binary value in another field of the answer.
  it("has a value that became binary with the same bytes", () => {
    const [difference] = differencesOf([text("k", "v")], [binary("k", "v")]);
    assert.equal(difference?.change, "changed");
  });

  it("is empty for the same content, in any order", () => {
    assert.deepEqual(differencesOf([text("a", ""), binary("b", "x")], [binary("b", "x"), text("a", "")]), []);
  });
});
