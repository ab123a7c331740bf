import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { CofferClient } from "../../src/client/coffer-client.ts";
import { failureOf } from "../support/client-failure.ts";
import { LONG } from "../support/long-form.ts";
import { ProxiedServer } from "../support/proxied-server.ts";
import { until } from "../support/until.ts";

/** A change of the secret `path`, which has three versions: live, deleted, live. */
type Change = (client: CofferClient, path: string, requestId?: string) => Promise<{ readonly revision: number }>;

/** Each method that changes the store. */
const CHANGES: Readonly<Record<string, Change>> = {
  put: (client, path, requestId) => client.put(path, { k: "new" }, { requestId }),
  patch: (client, path, requestId) => client.patch(path, { set: { k: "new" }, remove: ["l"] }, { requestId }),
  delete: (client, path, requestId) => client.delete(path, { requestId }),
  undelete: (client, path, requestId) => client.undelete(path, { versions: [2], requestId }),
  destroy: (client, path, requestId) => client.destroy(path, { versions: [1], requestId }),
  restore: (client, path, requestId) => client.restore(path, 1, { requestId }),
  copy: (client, path, requestId) => client.copy("source", path, { requestId }),
  purge: (client, path, requestId) => client.purge(path, { requestId }),
  metadata: (client, path, requestId) => client.metadata(path, { description: "new" }, { requestId }),
  commit: (client, path, requestId) =>
    client.commit(
      [
        { kind: "put", path, values: { k: "new" } },
        { kind: "destroy", path, versions: [1] },
      ],
      { requestId },
    ),
};

describe("a change whose answer is lost", () => {
  let server: ProxiedServer;
  before(async () => {
    server = await ProxiedServer.start();
    await server.direct.put("source", { k: "copied" });
  });
  after(() => server.stop());

  const storeRevision = async () => (await server.direct.describe("source")).storeRevision;
  const cut = () => server.proxy.cut();

  async function prepare(path: string): Promise<void> {
    for (const value of ["first", "second", "third"]) await server.direct.put(path, { k: value, l: "x" });
    await server.direct.delete(path, { versions: [2] });
  }

  /** Makes a change, and loses its answer after the commit: `lose` runs when another caller sees the change. */
  async function loseAnswer<Answer>(
    client: CofferClient,
    change: () => Promise<Answer>,
    lose: () => Promise<void> | void,
  ): Promise<{ readonly answer: Promise<Answer>; readonly revision: number }> {
    await client.health();
    server.proxy.hold();
    const before = await storeRevision();
    const answer = change();
    answer.catch(() => {});
    const revision = await until("the change is committed", async () => {
      const now = await storeRevision();
      return now > before && now;
    });
    await lose();
    return { answer, revision };
  }

  for (const [name, change] of Object.entries(CHANGES)) {
    // Another caller sees the change before the connection breaks, so it was applied.
    it(`is applied once: ${name}`, async () => {
      await prepare(name);
      const client = server.client();
      const { answer, revision } = await loseAnswer(client, () => change(client, name), cut);
      assert.equal((await answer).revision, revision);
      assert.equal(await storeRevision(), revision);
      await client.close();
    });

    // The control: the answer is really lost, and without a request_id the client can't know the outcome.
    it(`has an unknown outcome without a request_id: ${name}`, async () => {
      const path = `${name}-without`;
      await prepare(path);
      const client = server.client({ requestIds: false });
      const { answer } = await loseAnswer(client, () => change(client, path), cut);
      const error = await failureOf(answer);
      assert.deepEqual([error.applied, error.failure?.kind, error.requestId], ["unknown", "broken", undefined]);
      await client.close();
    });

    // This stands for a program that has stored the request_id, ended, and continues after its restart.
    it(`is applied once by a caller that repeats it with its request_id: ${name}`, async () => {
      const path = `${name}-again`;
      await prepare(path);
      const client = server.client({ retry: false });
      const { answer, revision } = await loseAnswer(client, () => change(client, path), cut);
      const { requestId } = await failureOf(answer);
      assert.equal((await change(server.direct, path, requestId)).revision, revision);
      assert.equal(await storeRevision(), revision);
      await client.close();
    });
  }

  // The control of all of these: a second Put is a second version.
  it("is applied twice by a caller that repeats it without a request_id", async () => {
    const client = server.client({ requestIds: false });
    const { answer } = await loseAnswer(client, () => client.put("twice", { k: "v" }), cut);
    await failureOf(answer);
    assert.equal((await client.put("twice", { k: "v" })).version, 2);
    await client.close();
  });

  for (const [name, change] of Object.entries(CHANGES)) {
    it(`is applied once by a server that is killed after the commit and started again: ${name}`, async () => {
      const path = `${name}-killed`;
      await prepare(path);
      const client = server.client();
      const { answer, revision } = await loseAnswer(
        client,
        () => change(client, path),
        () => server.restart(),
      );
      assert.equal((await answer).revision, revision);
      assert.equal(await storeRevision(), revision);
      await client.close();
    });
  }

  it("is refused if another change has its request_id", async () => {
    const requestId = "0b0b0b0b-0000-4000-8000-000000000001";
    await server.direct.put("reused", { k: "v" }, { requestId });
    const error = await failureOf(server.direct.put("reused", { k: "another" }, { requestId }));
    assert.deepEqual([error.code, error.reason, error.applied], ["INVALID_ARGUMENT", "REQUEST_ID_REUSED", "no"]);
    // The control: the same change.
    assert.equal((await server.direct.put("reused", { k: "v" }, { requestId })).version, 1);
  });
});

// When a caller has the maximum number of request_ids, the server refuses new ones and does not forget old ones.
describe("a change of a caller that has no space for another request_id", () => {
  let server: ProxiedServer;
  before(async () => {
    server = await ProxiedServer.start(["--max-request-ids", "2"]);
  });
  after(() => server.stop());

  it("is made without a request_id, and is refused if the caller has chosen one", async () => {
    const requestIds = ["0b0b0b0b-0000-4000-8000-000000000001", "0b0b0b0b-0000-4000-8000-000000000002"] as const;
    const first = await server.direct.put("a", { k: "1" }, { requestId: requestIds[0] });
    await server.direct.put("a", { k: "2" });
    const error = await failureOf(server.direct.put("a", { k: "3" }, { requestId: requestIds[1] }));
    assert.deepEqual([error.code, error.reason, error.applied], ["RESOURCE_EXHAUSTED", "REQUEST_IDS_FULL", "no"]);
    assert.equal((await server.direct.put("a", { k: "3" })).version, 3);
    // The control: the table still has the first one. The answer differs only in the revision at which it was made.
    const again = await server.direct.put("a", { k: "1" }, { requestId: requestIds[0] });
    assert.deepEqual(again, { ...first, storeRevision: again.storeRevision });
  });
});

// Answers are lost at any moment: before the request has arrived, during the commit, and after it.
describe("changes while connections break and servers are killed", () => {
  const CHANGES_IN_ALL = LONG ? 10_000 : 300;
  const LANES = 8;
  let server: ProxiedServer;
  beforeEach(async () => {
    server = await ProxiedServer.start();
  });
  afterEach(() => server.stop());

  /** Loses the answers to the changes in flight. The server commits some of them before or with the change of another caller. */
  async function loseAnswers(): Promise<void> {
    server.proxy.hold();
    await server.direct.put("other", { k: "v" });
    server.proxy.cut();
  }

  /**
   * Makes Puts in concurrent lanes, each with its own secret, until one of them fails. Calls `disturb` with the number of
   * each Put that starts, one call after the other. When all of it is over, resolves to the version numbers of each lane,
   * or rejects with a failure.
   */
  async function putAll(client: CofferClient, disturb: (puts: number) => Promise<void>) {
    const lanes = Array.from({ length: LANES }, (_, lane) => `lane-${lane}`);
    let puts = 0;
    let hasFailed = false;
    let disturbance = Promise.resolve();
    const lane = async (path: string) => {
      const versions: number[] = [];
      while (puts < CHANGES_IN_ALL && !hasFailed) {
        puts += 1;
        const count = puts;
        disturbance = disturbance.then(() => disturb(count));
        versions.push((await client.put(path, { k: String(count) })).version);
      }
      return versions;
    };
    const running = lanes.map(async (path) => {
      try {
        return await lane(path);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    });
    await Promise.allSettled(running);
    await disturbance;
    return Promise.all(running);
  }

  it("are each applied once", async () => {
    const client = server.client();
    const lanes = await putAll(client, async (puts) => {
      if (puts % 100 === 0) await server.restart();
      else if (puts % 10 === 0) await loseAnswers();
      else if (puts % 10 === 5) server.proxy.cut();
    });
    // The versions of a secret are consecutive: no Put was applied twice, and none was lost.
    for (const versions of lanes)
      assert.deepEqual(
        versions,
        versions.map((_, index) => index + 1),
      );
    await client.close();
  });

  // The control: without request_ids, some of these changes have an unknown outcome.
  it("can have an unknown outcome without request_ids", async () => {
    const client = server.client({ requestIds: false });
    const error = await failureOf(putAll(client, (puts) => (puts % 10 === 0 ? loseAnswers() : Promise.resolve())));
    assert.equal(error.applied, "unknown");
    await client.close();
  });
});
