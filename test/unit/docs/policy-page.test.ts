import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACTIONS } from "../../../src/authorization/action.ts";
import { ACTIONS_OF_CHANGE } from "../../../src/engine/permits.ts";
import { METHODS } from "../../../src/grpc/secrets-service.ts";
import { page, table } from "../../support/pages.ts";

const policy = page("docs/policy.md");
const quoted = (text = "") => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name);

describe("docs/policy.md", () => {
  it("has the actions of each call", () => {
    const rows = table(policy, "RPC", "Command", "Action");
    assert.deepEqual(rows.map(({ RPC }) => RPC).sort(), [...METHODS].sort());
    const others = { Get: ["read"], BatchGet: ["read"], List: ["list"], Describe: ["describe"], Commit: ["read"] };
    const watching = { Watch: ["watch", "read"], Report: ["watch"] };
    // Field 1 of a Copy is its source; the target is authorized after the request is read.
    const required: Readonly<Record<string, readonly string[]>> = {
      ...ACTIONS_OF_CHANGE,
      ...others,
      ...watching,
      Copy: [...ACTIONS_OF_CHANGE.Copy, "write"],
    };
    for (const { RPC = "", Action: action } of rows) assert.deepEqual(quoted(action), required[RPC], RPC);
  });

  it("names all actions that a rule can have", () => {
    const row = table(policy, "Key of a rule", "", "Meaning").find((each) => each["Key of a rule"] === "`actions`");
    assert.deepEqual(quoted(row?.["Meaning"]), ACTIONS);
  });
});
