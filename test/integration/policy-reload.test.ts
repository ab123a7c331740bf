import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { FILE_DELIVERIES } from "../support/file-delivery.ts";
import { ADMIN, API, type Caller, ServerKit, WEB } from "../support/server-kit.ts";

/** The secrets that each policy allows to read and to list. No two policies have one in common. */
const STATES = [
  ["even/a", "even/b", "even/c"],
  ["odd/a", "odd/b", "odd/c"],
] as const;
const ALL = STATES.flat();

/** The minimum number of calls under each policy. */
const CALLS = 60;
/** How many times the policy is replaced. */
const RELOADS = 8;

/**
 * One of the two policies, with one rule for each path: a mixture of two policies, or half of one, would be visible.
 */
function policy(state: number): string {
  const rules = STATES[state % 2]!.map(
    (path) => `  - {name: ${path}, spiffe_ids: [${API}, ${WEB}], paths: [${path}], actions: [read, list]}\n`,
  );
  return `rules:\n${rules.join("")}`;
}

for (const [what, deliver] of Object.entries(FILE_DELIVERIES)) {
  describe(`a policy that is replaced under load (by ${what})`, () => {
    let kit: ServerKit;
    let file: string;
    const callers: Caller[] = [];
    const lines = (event: string) => kit.log.filter((line) => line.event === event);

    before(async () => {
      kit = await ServerKit.start({ logLevel: "info" });
      mkdirSync(join(kit.folder, "rules"));
      file = join(kit.folder, "rules", "policy.yaml");
      deliver(file, policy(0));
      Object.assign(kit.config, { policy: file });
      await kit.restart();
      const admin = kit.caller(ADMIN);
      for (const path of ALL) assert.equal((await admin.put({ path, data: { value: path } })).code, "OK");
      callers.push(admin, kit.caller(API), kit.caller(WEB));
    });
    after(async () => {
      for (const caller of callers) caller.close();
      await kit.stop();
    });

    /** The number of the policy in force. While it is replaced, the number of the old one. */
    let state = 0;
    /** Whether no replacement is in progress. */
    let isSettled = true;
    /** The number of replacements that have begun. */
    let replacements = 0;
    /** The number of calls that have ended. */
    let calls = 0;
    const wrong: string[] = [];

    /**
     * The policies that may have decided a call that ends now. `start` is the state when the call started. If a
     * replacement was in progress during the call, either policy may have decided it.
     */
    function possible(start: { readonly settled: boolean; readonly replacements: number }): readonly number[] {
      return start.settled && isSettled && start.replacements === replacements ? [state % 2] : [0, 1];
    }

    async function listAndRead(caller: Caller): Promise<void> {
      const path = ALL[calls % ALL.length]!;
      const beforeList = { settled: isSettled, replacements };
      const listed = await caller.list({ prefix: "" });
      const seen = (listed.response?.entries ?? []).map((secret: { path: string }) => secret.path).join();
      if (!possible(beforeList).some((one) => STATES[one]!.join() === seen)) wrong.push(`List ${listed.code}: ${seen}`);
      const beforeGet = { settled: isSettled, replacements };
      const { code } = await caller.get({ path });
      const codes = possible(beforeGet).map((one) =>
        STATES[one]!.some((p) => p === path) ? "OK" : "PERMISSION_DENIED",
      );
      if (!codes.some((possible) => possible === code)) wrong.push(`Get ${path}: ${code}, not ${codes.join(" or ")}`);
      calls += 2;
    }

    /** Makes calls on one connection, one after the other, until `isOver`. */
    async function load(caller: Caller, isOver: () => boolean): Promise<void> {
      while (!isOver()) await listAndRead(caller);
    }

    async function until(condition: () => boolean): Promise<void> {
      while (!condition() && wrong.length === 0) await new Promise((resolve) => setImmediate(resolve));
    }

    async function replacePolicy(): Promise<void> {
      const loaded = lines("policy loaded").length;
      [isSettled, replacements] = [false, replacements + 1];
      deliver(file, policy(state + 1));
      await until(() => lines("policy loaded").length > loaded);
      [isSettled, state] = [true, state + 1];
      const enough = calls + CALLS;
      await until(() => calls >= enough);
    }

    // The server receives no signal. The connections stay open throughout.
    it("decides every call by one complete policy, later calls by the new one, and fails no call", async () => {
      let isOver = false;
      const loads = callers.slice(1).map((caller) => load(caller, () => isOver || wrong.length > 0));
      for (let i = 0; i < RELOADS && wrong.length === 0; i++) await replacePolicy();
      isOver = true;
      await Promise.all(loads);
      assert.deepEqual(wrong, []);
      assert.equal(state, RELOADS);
      assert.ok(calls >= RELOADS * CALLS);
      assert.equal(lines("policy reload failed").length, 0);
    });

    it("stays in force when the next one is invalid, and the metric shows that", async () => {
      const loaded = async () =>
        /^coffer_policy_loaded (\d)$/m.exec(await (await fetch(`${kit.opsUrl}/metrics`)).text())?.[1];
      assert.equal(await loaded(), "1");
      deliver(file, `${policy(state + 1)}  - {}\n`);
      await until(() => lines("policy reload failed").length > 0);
      assert.equal(await loaded(), "0");
      await listAndRead(callers[1]!);
      assert.deepEqual(wrong, []);
      deliver(file, policy(state));
      const before = lines("policy loaded").length;
      await until(() => lines("policy loaded").length > before);
      assert.equal(await loaded(), "1");
    });
  });
}
