import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { convergenceText, namedConvergence } from "../../../src/cli/convergence-text.ts";
import { ReportState } from "../../../src/contract/messages.ts";

const watcher = (name: string, version: number, instance = "") => ({
  spiffeId: `spiffe://example.org/${name}`,
  instance,
  version,
  state: version === 0 ? ReportState.unspecified : ReportState.inUse,
});

describe("the convergence of a secret", () => {
  // docs/rotation.md shows these lines.
  it("is one line, with the watchers that do not use the newest version", () => {
    assert.equal(convergenceText({ watchers: 0, converged: 0, behind: [] }, 7), "no watchers\n");
    assert.equal(convergenceText({ watchers: 40, converged: 40, behind: [] }, 7), "40 of 40 watchers use version 7\n");
    const behind = [watcher("a", 0), watcher("b", 5), watcher("c", 6, "c-1"), watcher("c", 6, "c-2")];
    assert.equal(
      convergenceText({ watchers: 40, converged: 36, behind }, 7),
      "36 of 40 watchers use version 7; no report: spiffe://example.org/a; still on 5: spiffe://example.org/b; " +
        "still on 6: spiffe://example.org/c (c-1), spiffe://example.org/c (c-2)\n",
    );
  });

  // The server names at most 100.
  it("counts those that the server does not name", () => {
    const text = convergenceText({ watchers: 400, converged: 36, behind: [watcher("a", 6)] }, 7);
    assert.equal(text, "36 of 400 watchers use version 7; still on 6: spiffe://example.org/a; and 363 more\n");
  });

  it("has the names of states in JSON", () => {
    const received = { ...watcher("b", 6), state: ReportState.received };
    const named = namedConvergence({ watchers: 3, converged: 1, behind: [watcher("a", 0), received, watcher("c", 6)] });
    assert.deepEqual(
      (named as { behind: { state: string }[] }).behind.map(({ state }) => state),
      ["NONE", "RECEIVED", "IN_USE"],
    );
  });
});
