import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CofferError } from "../../../src/domain/errors.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { ChangeCommand, ConvergenceDemand, VersionsCommand } from "../../../src/store/command.ts";
import { requestDigest } from "../../../src/store/request-digest.ts";
import type { NewestVersion, WatcherBehind, WatcherCount } from "../../../src/store/watch-registry.ts";
import { plainSealer } from "../../support/plain-sealer.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import { commandOf, deleteRequest, loadStore, outcomeOf, putRequest, read } from "../../support/store-kit.ts";

const REQUEST_ID = "6e35d3a3-f5d4-4fa1-9c3e-27fdfa0d6a0c";

function removal(
  kind: VersionsCommand["kind"],
  refusal?: ConvergenceDemand["refusal"],
  { path = "a", minWatchers = 0 } = {},
): ChangeCommand {
  const common = { path: parseSecretPath(path), versions: [1], expectedVersion: undefined };
  return commandOf({ kind, ...common, ...(refusal && { convergence: { refusal, minWatchers } }) });
}

/** Watchers that the test sets, and what was requested of them. */
class ScriptedWatchers {
  /** How many use the newest version. */
  converged = 1;
  behind: readonly WatcherBehind[] = [];
  readonly requested: string[] = [];

  count(path: string, { number, revision }: NewestVersion): WatcherCount {
    this.requested.push(`${path} ${number}@${revision}`);
    return { watchers: this.behind.length + this.converged, converged: this.converged, behind: this.behind };
  }
}

const behind = (count: number): readonly WatcherBehind[] =>
  Array.from({ length: count }, (_, i) => ({ caller: `spiffe://x/w${i}`, instance: "", version: 1, state: "in use" }));

/** The parts of a command that its digest hashes, without their lengths. */
function hashedOf(command: ChangeCommand): readonly string[] {
  const hashed: string[] = [];
  const digest = (parts: readonly Buffer[]) => {
    hashed.push(...parts.map((part) => part.subarray(4).toString()));
    return Buffer.alloc(1);
  };
  requestDigest(command, { ...plainSealer, digest });
  return hashed;
}

async function refusal(change: Promise<unknown>): Promise<CofferError> {
  const error = await change.catch((reason: unknown) => reason);
  assert.ok(error instanceof CofferError, String(error));
  return error;
}

async function open() {
  const watchers = new ScriptedWatchers();
  const journal = new ScriptedJournal();
  const store = await loadStore(journal, { watchers });
  for (const value of ["1", "2"]) await store.change(putRequest("a", value));
  return { store, watchers, journal };
}

describe("a change that requires convergence", () => {
  for (const kind of ["delete", "destroy"] as const) {
    it(`${kind}: is refused while a watcher does not use the newest version, and changes nothing`, async () => {
      const { store, watchers, journal } = await open();
      watchers.behind = behind(1);
      const entries = journal.entries.length;
      const error = await refusal(store.change(removal(kind, "counted")));
      const REFUSED = { path: "a", watchers: "2", behind: "1", operation: "0" };
      assert.deepEqual([error.reason, error.metadata], ["NOT_CONVERGED", REFUSED]);
      assert.equal(error.message, "1 watcher does not use version 2 of a, the newest");
      assert.deepEqual([read(store, "a", 1), journal.entries.length], ["1", entries]);
      assert.deepEqual(watchers.requested, [`a 2@${journal.revision}`]);
      // The controls: it is made when all use it, or without the requirement.
      assert.deepEqual((await store.change(removal(kind))).results[0]?.versions, [1]);
      watchers.behind = [];
      assert.equal(await outcomeOf(store.change(removal(kind, "counted"))).then((x) => typeof x), "object");
    });
  }

  // Each compares all watchers of the secret. Thousands of them in one group would block the thread of the store.
  it("counts its watchers as work, so that a group with many of them ends early", async () => {
    for (const [connected, first] of [
      [2000, 5],
      [2, 8],
    ] as const) {
      const { store, watchers } = await open();
      watchers.converged = connected;
      watchers.behind = behind(1);
      const refused = Array.from({ length: 8 }, () => outcomeOf(store.change(removal("delete", "counted"))));
      await refused[0];
      assert.equal(watchers.requested.length, first, `the Deletes of the first group beside ${connected} watchers`);
      assert.deepEqual(await Promise.all(refused), Array(8).fill("NOT_CONVERGED"));
    }
  });

  it("names at most ten watchers that are behind, with their instances and versions, if the caller may know them", async () => {
    const { store, watchers } = await open();
    watchers.behind = [
      { caller: "spiffe://x/a", instance: "", version: 0, state: undefined },
      { caller: "spiffe://x/b", instance: "pod-1", version: 1, state: "received" },
      ...behind(10),
    ];
    const { message, metadata } = await refusal(store.change(removal("destroy", "named")));
    assert.match(
      message,
      /^12 watchers do not use version 2 of a, the newest: spiffe:\/\/x\/a has reported no version, /,
    );
    assert.match(message, /, spiffe:\/\/x\/b \(pod-1\) has received 1, spiffe:\/\/x\/w0 uses 1, /);
    assert.match(message, /w7 uses 1 and 2 more$/);
    assert.equal(metadata["behind"], "12");
    const counted = await refusal(store.change(removal("destroy", "counted")));
    assert.equal(counted.message, "12 watchers do not use version 2 of a, the newest");
  });

  // After a restart of the server, the secret has no watcher until the first one has reconnected: 0 of 0 use its newest
  // version.
  for (const kind of ["delete", "destroy"] as const) {
    it(`${kind}: is refused if the secret has fewer watchers than required, and changes nothing`, async () => {
      const { store, watchers, journal } = await open();
      const attempt = (minWatchers: number) => store.change(removal(kind, "counted", { minWatchers }));
      const entries = journal.entries.length;
      for (const connected of [0, 1, 2]) {
        watchers.converged = connected;
        const { reason, message, metadata } = await refusal(attempt(3));
        assert.deepEqual(
          [reason, metadata],
          ["NOT_CONVERGED", { path: "a", watchers: `${connected}`, behind: "0", operation: "0" }],
        );
        const verb = connected === 1 ? "is" : "are";
        assert.equal(message, `only ${connected} of at least 3 watchers of a ${verb} connected`);
      }
      assert.deepEqual([read(store, "a", 1), journal.entries.length], ["1", entries]);
      // The controls: there are enough, or more than that.
      watchers.converged = 3;
      assert.deepEqual((await attempt(3)).results[0]?.versions, [1]);
      assert.equal(await outcomeOf(attempt(2)).then((x) => typeof x), "object");
    });
  }

  // Enough watchers are not sufficient, and the operator sees both problems at once.
  it("is refused while one of enough watchers is behind, and says so if there are too few as well", async () => {
    const { store, watchers } = await open();
    watchers.behind = behind(1);
    const attempt = (minWatchers: number) => refusal(store.change(removal("destroy", "named", { minWatchers })));
    const late = "1 watcher does not use version 2";
    assert.equal((await attempt(2)).message, `${late} of a, the newest: spiffe://x/w0 uses 1`);
    const both = await attempt(3);
    assert.equal(
      both.message,
      `only 2 of at least 3 watchers of a are connected, and ${late}, the newest: spiffe://x/w0 uses 1`,
    );
    assert.deepEqual([both.metadata["watchers"], both.metadata["behind"]], ["2", "1"]);
  });

  // Many clients accept at most 8 KiB of trailers. With longer ones, the caller would lose the whole status.
  it("names fewer watchers if their names are long, and counts the others", async () => {
    const { store, watchers } = await open();
    const caller = `spiffe://x/${"w".repeat(400)}`;
    watchers.behind = behind(10).map((watcher) => ({ ...watcher, caller }));
    const { message } = await refusal(store.change(removal("destroy", "named")));
    assert.match(message, /the newest: spiffe:\/\/x\/w+ uses 1, spiffe:\/\/x\/w+ uses 1 and 8 more$/);
    watchers.behind = behind(10).map((watcher) => ({ ...watcher, caller: `spiffe://x/${"w".repeat(2000)}` }));
    const longest = await refusal(store.change(removal("destroy", "named")));
    assert.equal(longest.message, "10 watchers do not use version 2 of a, the newest");
  });

  // The version that an earlier operation of the same command adds is the newest one.
  it("counts the effects of the operations before it", async () => {
    const { store, watchers } = await open();
    const both = commandOf(...putRequest("a", "3").operations, ...removal("destroy", "counted").operations);
    await store.change(both);
    assert.deepEqual(watchers.requested, [`a 3@${Number.POSITIVE_INFINITY}`]);
    watchers.behind = behind(1);
    const error = await refusal(store.change(both));
    assert.deepEqual([error.reason, error.metadata["operation"]], ["NOT_CONVERGED", "1"]);
    assert.equal(read(store, "a"), "3", "the Put was not made either");
  });

  it("does not count watchers if its expected_version differs, or its secret does not exist", async () => {
    const { store, watchers } = await open();
    const [command] = removal("destroy", "counted").operations;
    assert.equal(await outcomeOf(store.change(commandOf({ ...command!, expectedVersion: 1 }))), "VERSION_MISMATCH");
    assert.equal(await outcomeOf(store.change(removal("destroy", "counted", { path: "none" }))), "SECRET_NOT_FOUND");
    assert.deepEqual(watchers.requested, []);
  });

  // A caller that repeats a call after an unknown outcome must get the answer of the change, although other watchers are
  // connected by then.
  it("gets its first answer if it is repeated with its request_id, and is another request without the demand", async () => {
    const { store, watchers } = await open();
    const first = { ...removal("destroy", "counted"), requestId: REQUEST_ID };
    const answer = await store.change(first);
    watchers.behind = behind(1);
    assert.deepEqual(await store.change(first), answer);
    // What the caller may know of the watchers can change between two attempts.
    assert.deepEqual(await store.change({ ...removal("destroy", "named"), requestId: REQUEST_ID }), answer);
    assert.equal(await outcomeOf(store.change({ ...removal("destroy"), requestId: REQUEST_ID })), "REQUEST_ID_REUSED");
  });

  it("is another request with another number of watchers", async () => {
    const { store } = await open();
    const first = { ...removal("destroy", "counted", { minWatchers: 1 }), requestId: REQUEST_ID };
    const answer = await store.change(first);
    assert.deepEqual(await store.change(first), answer);
    for (const minWatchers of [0, 2]) {
      const other = { ...removal("destroy", "counted", { minWatchers }), requestId: REQUEST_ID };
      assert.equal(await outcomeOf(store.change(other)), "REQUEST_ID_REUSED");
    }
  });

  // A store remembers the digests of requests for 24 hours, also those of a release without convergence, or without
  // min_watchers.
  it("leaves the digests of requests without the demand, and without a number of watchers, as they were", () => {
    assert.deepEqual(hashedOf(deleteRequest("a", [1])), ["[1,[]]", '["delete","a",null,[1]]']);
    assert.deepEqual(hashedOf(removal("delete", "counted")), ["[1,[]]", '["delete","a",null,[1],"converged"]']);
    assert.deepEqual(hashedOf(removal("delete", "named", { minWatchers: 3 })), [
      "[1,[]]",
      '["delete","a",null,[1],"converged",3]',
    ]);
  });
});
