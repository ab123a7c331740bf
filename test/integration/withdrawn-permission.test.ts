import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it, mock } from "node:test";
import { SqliteJournal } from "../../src/persistence/sqlite-journal.ts";
import { SecretStore } from "../../src/store/secret-store.ts";
import { ADMIN, API, type Caller, POLICY, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const PATH = "shop/api/waiting";

/** Holds every commit until the test ends it, and counts the commands that the store has received. */
class HeldCommits {
  received = 0;
  begun = 0;
  #end = () => {};
  #isOver = Promise.resolve();

  constructor() {
    const held = this;
    const { commit } = SqliteJournal.prototype;
    mock.method(
      SqliteJournal.prototype,
      "commit",
      async function (this: SqliteJournal, ...group: Parameters<typeof commit>) {
        held.begun += 1;
        await held.#isOver;
        return commit.apply(this, group);
      },
    );
    const { change } = SecretStore.prototype;
    mock.method(SecretStore.prototype, "change", function (this: SecretStore, ...command: Parameters<typeof change>) {
      held.received += 1;
      return change.apply(this, command);
    });
  }

  hold(): void {
    this.#isOver = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  end(): void {
    this.#end();
  }
}

describe("a change that waits for the disk while the policy is replaced", () => {
  const commits = new HeldCommits();
  let kit: ServerKit;
  let admin: Caller;
  let api: Caller;

  before(async () => {
    kit = await ServerKit.start();
    admin = kit.caller(ADMIN);
    api = kit.caller(API);
    assert.equal((await api.put({ path: PATH, data: { value: "first" } })).code, "OK");
  });
  after(async () => {
    commits.end();
    admin.close();
    api.close();
    await kit.stop();
    mock.restoreAll();
  });

  /** Puts a value while the commit of another Put is held, and replaces the policy before that commit ends. */
  async function putDuring(value: string, policy: string) {
    commits.hold();
    const { begun, received } = commits;
    const other = admin.put({ path: "other", data: { value } });
    await until("the commit of the other Put has begun", () => commits.begun === begun + 1);
    const waiting = api.put({ path: PATH, data: { value } });
    await until("the Put waits in the store", () => commits.received === received + 2);
    const loaded = linesOf("policy loaded").length;
    writeFileSync(kit.config.policy!, policy);
    await until("the policy is loaded", () => linesOf("policy loaded").length > loaded);
    commits.end();
    assert.equal((await other).code, "OK");
    return waiting;
  }

  function linesOf(event: string) {
    return kit.log.filter((line) => line.event === event);
  }

  async function newest(): Promise<string> {
    return (await admin.get({ path: PATH })).response.data.value;
  }

  // The control: the new policy differs in another rule.
  it("is made if the new policy allows it", async () => {
    const { code } = await putDuring("second", POLICY.replace("[read]", "[read, list]"));
    assert.equal(code, "OK");
    assert.equal(await newest(), "second");
  });

  it("is refused, not applied and logged if its permission was withdrawn", async () => {
    const { code, reason } = await putDuring("third", "rules: []\n");
    assert.deepEqual([code, reason], ["PERMISSION_DENIED", "ACCESS_DENIED"]);
    assert.equal(await newest(), "second");
    await kit.settled();
    assert.deepEqual(
      linesOf("call denied").map(({ method, action, path, rule }) => [method, action, path, rule]),
      [["/coffer.v1.Secrets/Put", "write", PATH, "no rule"]],
    );
  });
});
