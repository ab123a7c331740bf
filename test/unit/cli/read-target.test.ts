import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readTarget } from "../../../src/cli/read-target.ts";

const secret = { kind: "secret", key: undefined, keys: undefined, version: undefined };

describe("the arguments of get", () => {
  it("are a path, a path with a key, or paths", () => {
    for (const [words, flags, expected] of [
      [["a/b"], {}, { ...secret, path: "a/b" }],
      [["a/b"], { version: 2, keys: ["x", "y"] }, { ...secret, path: "a/b", keys: ["x", "y"], version: 2 }],
      // Only the key that is printed is read.
      [["a/b", "k.x"], { version: 2 }, { ...secret, path: "a/b", key: "k.x", keys: ["k.x"], version: 2 }],
      [["a/b", "c/d"], {}, { kind: "batch", paths: ["a/b", "c/d"] }],
      [["a", "b", "c"], { output: "json" }, { kind: "batch", paths: ["a", "b", "c"] }],
      // Without --batch, the second word would be a key.
      [["a", "b"], { batch: true }, { kind: "batch", paths: ["a", "b"] }],
      [["a"], { batch: true }, { kind: "batch", paths: ["a"] }],
    ] as const) {
      assert.deepEqual(readTarget(words, flags), expected);
    }
  });

  it("are refused with flags that do not suit them", () => {
    for (const [words, flags, message] of [
      [["a/b", "k"], { keys: ["x"] }, "use either a key or --keys"],
      [["a/b", "c/d"], { keys: ["x"] }, "--keys needs a single path"],
      [["a/b", "c/d"], { version: 1 }, "--version needs a single path"],
      [["a/b", "c/d"], { output: "env" }, "-o env needs a single path"],
      [["a/b", "c/d"], { output: "raw" }, "-o raw needs a single path"],
    ] as const) {
      assert.throws(() => readTarget(words, flags), { name: "CommandFailed", outcome: "usage", message });
    }
  });
});
