import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as wire from "../../../src/contract/messages.ts";
import type { ChangeCall } from "../../../src/engine/permits.ts";
import { API_ID, ServiceKit, type ServiceOutcome } from "../../support/service-kit.ts";
import { policyOf } from "../../support/policy-text.ts";

type Changing = ChangeCall | "Commit";

const ACTIONS = ["read", "write", "delete", "destroy", "list", "describe", "watch"];
const VALUE = [{ key: "k", value: Buffer.from("new") }];
const put = (path: string) => ({ change: { kind: "put", value: wire.putRequest.of({ path, data: VALUE }) } });

/** Each change on secrets with two versions, with the actions that it requires, and the secrets on which it does. */
const CHANGES: readonly [call: Changing, fields: object, requires: readonly [action: string, path: string][]][] = [
  ["Put", { path: "a", data: VALUE }, [["write", "a"]]],
  ["Patch", { path: "a", data: VALUE }, [["write", "a"]]],
  ["Metadata", { path: "a", description: "new" }, [["write", "a"]]],
  ["Delete", { path: "a" }, [["delete", "a"]]],
  ["Undelete", { path: "deleted", versions: [1] }, [["delete", "deleted"]]],
  ["Destroy", { path: "a" }, [["destroy", "a"]]],
  ["Purge", { path: "a" }, [["destroy", "a"]]],
  [
    "Restore",
    { path: "a", version: 1 },
    [
      ["read", "a"],
      ["write", "a"],
    ],
  ],
  [
    "Copy",
    { source: "a", target: "b" },
    [
      ["read", "a"],
      ["write", "b"],
    ],
  ],
  [
    "Commit",
    { operations: [put("b"), put("a")], guards: [{ path: "guarded", expectedVersion: 1 }] },
    [
      ["write", "a"],
      ["write", "b"],
      ["read", "guarded"],
    ],
  ],
];

/** Everything but an action on a path is allowed. Without an action, everything is. */
function allBut(denied?: string, path?: string) {
  const rule = (name: string, paths: readonly string[], actions: readonly string[]) =>
    `  - {name: ${name}, spiffe_ids: [${API_ID}], paths: [${paths.join(", ")}], actions: [${actions.join(", ")}]}\n`;
  const paths = ["a", "b", "deleted", "guarded"];
  if (denied === undefined) return policyOf(`rules:\n${rule("all", paths, ACTIONS)}`);
  const others = paths.filter((one) => one !== path);
  const rest = ACTIONS.filter((action) => action !== denied);
  return policyOf(`rules:\n${rule("others", others, ACTIONS)}${rule("rest", [path!], rest)}`);
}

async function open(): Promise<ServiceKit> {
  const kit = await ServiceKit.open();
  kit.policy = allBut();
  for (const path of ["a", "deleted", "guarded"]) await made(kit.call("Put", { path, data: VALUE }));
  await made(kit.call("Delete", { path: "deleted" }));
  return kit;
}

async function made(outcome: Promise<ServiceOutcome>): Promise<void> {
  assert.equal((await outcome).kind, "response");
}

describe("a change that waits in the queue of the store while the policy changes", () => {
  for (const [call, fields, requires] of CHANGES) {
    for (const [action, path] of requires) {
      // Otherwise a caller whose permission was withdrawn could keep Copies of a secret in the queue, and copy a value that is
      // written later.
      it(`is refused and logged if ${action} on ${path} was withdrawn: ${call}`, async () => {
        const kit = await open();
        const { revision } = kit.store;
        const answer = kit.call(call, fields);
        kit.policy = allBut(action, path);
        const outcome = await answer;
        assert.ok(outcome.kind === "error");
        assert.deepEqual([outcome.reason, outcome.metadata["action"]], ["ACCESS_DENIED", action]);
        assert.equal(kit.store.revision, revision, "the store is unchanged");
        assert.deepEqual(
          kit.denials.map((denial) => [denial.call, denial.action, denial.target]),
          [[call, action, path]],
        );
      });
    }

    // The control, which also shows that the store requires no more than the call.
    it(`is made if the policy still allows it: ${call}`, async () => {
      const kit = await open();
      const { revision } = kit.store;
      const answer = kit.call(call, fields);
      const required = new Set(requires.map(([action]) => action));
      const rule = `{spiffe_ids: [${API_ID}], paths: ["**"], actions: [${[...required].join(", ")}]}`;
      kit.policy = policyOf(`rules:\n  - ${rule}\n`);
      await made(answer);
      assert.ok(kit.store.revision > revision);
      assert.deepEqual(kit.denials, []);
    });
  }

  it("has the index of the denied part, if it is a Commit", async () => {
    const [, fields] = CHANGES.at(-1)!;
    for (const [path, action, part] of [
      ["b", "write", { operation: "0" }],
      ["a", "write", { operation: "1" }],
      ["guarded", "read", { guard: "0" }],
    ] as const) {
      const kit = await open();
      const answer = kit.call("Commit", fields);
      kit.policy = allBut(action, path);
      const outcome = await answer;
      assert.ok(outcome.kind === "error");
      assert.deepEqual(outcome.metadata, { action, ...part });
    }
  });

  // The repetition would reveal whether the first request was applied.
  it("is refused if it is the repetition of a change that was made", async () => {
    const kit = await open();
    const fields = { path: "a", data: VALUE, requestId: "9f4c0b6e-7a52-4d0c-8f0e-000000000001" };
    await made(kit.call("Put", fields));
    await made(kit.call("Put", fields));
    const answer = kit.call("Put", fields);
    kit.policy = allBut("write", "a");
    const outcome = await answer;
    assert.ok(outcome.kind === "error");
    assert.equal(outcome.reason, "ACCESS_DENIED");
  });
});
