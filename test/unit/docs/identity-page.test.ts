import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CONNECTION_REFUSALS } from "../../../src/admission/connection-refusal.ts";
import { DEFAULT_HANDSHAKE_LIMITS } from "../../../src/admission/handshake-gate.ts";
import { page, table } from "../../support/pages.ts";

const identity = page("docs/identity.md");

describe("docs/identity.md", () => {
  // An operator who finds a reason in the log looks it up here.
  it("explains every reason of a refusal, and no other", () => {
    const rows = table(identity, "Reason", "What it means", "What to do");
    const named = rows.flatMap((row) => [...row["Reason"]!.matchAll(/`([^`]+)`/g)].map(([, reason]) => reason!));
    assert.deepEqual(named.sort(), [...CONNECTION_REFUSALS].sort());
  });

  it("has the limits of the server", () => {
    const limits = new Map(table(identity, "Limit", "Default", "Because").map((row) => [row["Limit"], row["Default"]]));
    const { connections, inProgress, perSecond } = DEFAULT_HANDSHAKE_LIMITS;
    assert.equal(limits.get("`--max-connections`"), connections.toLocaleString("en"));
    assert.equal(limits.get("`--max-handshakes`"), inProgress.toLocaleString("en"));
    assert.equal(limits.get("`--handshake-rate`"), `${perSecond} a second`);
  });
});
