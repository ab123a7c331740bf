import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type * as wire from "../../../src/contract/messages.ts";
import { API_ID, ServiceKit } from "../../support/service-kit.ts";
import { policyOf } from "../../support/policy-text.ts";

const VALUE = [{ key: "k", value: Buffer.from("v") }];

function policyFor(paths: string, actions: string) {
  return policyOf(`rules:\n  - {spiffe_ids: [${API_ID}], paths: ["${paths}"], actions: [${actions}]}\n`);
}

async function open(): Promise<ServiceKit> {
  const kit = await ServiceKit.open();
  for (const path of ["a/1", "b/1"]) assert.equal((await kit.call("Put", { path, data: VALUE })).kind, "response");
  return kit;
}

/** Lists everything. `during` runs after the call is authorized, and before its page is found. */
async function list(kit: ServiceKit, during: () => void): Promise<readonly string[] | string> {
  const answer = kit.call("List", {});
  during();
  const outcome = await answer;
  if (outcome.kind === "error") return outcome.reason;
  return (outcome.response as wire.ListResponse).entries.map(({ path }) => path);
}

describe("a List during which the policy changes", () => {
  it("has the secrets that the new policy allows to list", async () => {
    const kit = await open();
    const during = () => {
      kit.policy = policyFor("b/**", "list");
    };
    assert.deepEqual(await list(kit, during), ["b/1"]);
  });

  it("is denied if the new policy allows to list nothing, and the denial is logged", async () => {
    const kit = await open();
    const during = () => {
      kit.policy = policyFor("**", "read");
    };
    assert.equal(await list(kit, during), "ACCESS_DENIED");
    assert.deepEqual(
      kit.denials.map(({ call, action }) => [call, action]),
      [["List", "list"]],
    );
  });

  // The control: the page is found in a later turn than the decision.
  it("has a secret that is created before its page is found, if the policy stays", async () => {
    const kit = await open();
    let isPut = Promise.resolve();
    const during = () => {
      isPut = kit.call("Put", { path: "a/2", data: VALUE }).then(() => {});
    };
    const listed = await list(kit, during);
    await isPut;
    assert.ok(listed.includes("a/1") && listed.includes("b/1"), String(listed));
    assert.deepEqual(await list(kit, () => {}), ["a/1", "a/2", "b/1"]);
  });
});
