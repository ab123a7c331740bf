import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { execForm, readDockerfile, withArguments } from "./dockerfile.ts";

describe("the reader of Dockerfiles", () => {
  it("reads instructions with their flags, continued lines and comments", () => {
    const text = "# a\nFROM x AS y\n\nCOPY --from=a --chown=1:1 b c\nRUN one && \\\n  # between\n    two\n";
    assert.deepEqual(readDockerfile(text), [
      { name: "FROM", flags: {}, text: "x AS y" },
      { name: "COPY", flags: { from: "a", chown: "1:1" }, text: "b c" },
      { name: "RUN", flags: {}, text: "one && two" },
    ]);
  });

  it("accepts a command only in exec form", () => {
    assert.deepEqual(execForm('["node", "x"]'), ["node", "x"]);
    assert.throws(() => execForm("node x"), /not in exec form/);
  });

  it("replaces only declared arguments", () => {
    const known = new Map([["NODE", "24"]]);
    assert.equal(withArguments(`node:$\{NODE}-a $NODE`, known), "node:24-a 24");
    assert.throws(() => withArguments(`node:$\{OTHER}`, known), /OTHER is not an argument/);
  });
});
