import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseSecretPath, type SecretPath } from "../../../src/domain/secret-path.ts";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import type { ChangeCommand, OperationCommand } from "../../../src/store/command.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import { ownMemory } from "../../../src/store/publication.ts";
import { randomFrom } from "../../durability/load.ts";
import { LONG } from "../../support/long-form.ts";
import { plainContent, temporaryFolder } from "../../support/persistence-kit.ts";
import { commandOf, loadStore, outcomeOf, textContent } from "../../support/store-kit.ts";

const ROUNDS = LONG ? 300 : 12;
const PATHS = ["a", "b", "c/d", "e"].map((path) => parseSecretPath(path));

type Random = (limit: number) => number;

/** Any operation on one of a few secrets. Many are refused, which is part of the test. */
function operation(random: Random): OperationCommand {
  const path = PATHS[random(PATHS.length)]!;
  const expectedVersion = undefined;
  const plaintext = encodeContent(textContent(randomUUID()));
  const versions = random(3) === 0 ? [] : [1 + random(12)];
  const expiry = random(4) === 0 ? ({ kind: "after", ms: 1 + random(3) } as const) : ({ kind: "default" } as const);
  const unset = { setLabels: [], removedLabels: [], description: undefined, casRequired: undefined };
  const update = { ...unset, maxVersions: random(2) === 0 ? undefined : 1 + random(12), defaultTtl: random(3) * 1000 };
  switch (random(9)) {
    case 0:
      return { kind: "delete", path, versions, expectedVersion };
    case 1:
      return { kind: "undelete", path, versions, expectedVersion };
    case 2:
      return { kind: "destroy", path, versions, expectedVersion };
    case 3:
      return { kind: "purge", path, expectedVersion };
    case 4:
      return { kind: "metadata", path, expectedVersion, update };
    case 5:
      return { kind: "copy", path, source: PATHS[random(PATHS.length)]!, version: 0, expectedVersion };
    case 6:
      return { kind: "patch", path, plaintext, removed: [], expectedVersion };
    default:
      return { kind: "put", path, plaintext, expiry, expectedVersion };
  }
}

function command(random: Random): ChangeCommand {
  const operations = Array.from({ length: random(3) === 0 ? 1 + random(20) : 1 }, () => operation(random));
  return { ...commandOf(...operations), requestId: random(2) === 0 ? randomUUID() : undefined };
}

/** A store on the journal in a file, and everything that its memory has of the paths. */
async function open(file: string) {
  const journal = new SqliteJournal(openDatabase(file, plainContent));
  const publication = ownMemory();
  const store = await loadStore(journal, { publication });
  const stateOf = (path: SecretPath) =>
    JSON.stringify(publication.memory.get(path), (key, value: unknown) =>
      key === "sealed" ? (value as { bytes(): Buffer }).bytes().toString("hex") : value,
    );
  return { journal, store, state: () => PATHS.map(stateOf) };
}

describe("a store on disk", () => {
  // A restart changes nothing: after any commands, alone and in groups, the loaded store equals the one before, also in
  // revisions, times and states. The load refuses no row that the store has
  // written, and the number of remembered requests is the same.
  it("equals its memory after a restart", async () => {
    const numbers = randomFrom(23);
    const random: Random = (limit) => Math.floor(numbers() * limit);
    const file = join(temporaryFolder(), "coffer.db");
    let opened = await open(file);
    let applied = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (let group = 0; group < 8; group++) {
        const commands = Array.from({ length: 1 + random(6) }, () => command(random));
        const results = await Promise.all(commands.map((one) => outcomeOf(opened.store.change(one))));
        applied += results.filter((result) => typeof result !== "string").length;
      }
      const before = opened.state();
      const requests = opened.store.requestIds;
      await opened.store.settled();
      opened.journal.close();
      opened = await open(file);
      assert.deepEqual(opened.state(), before, `round ${round}`);
      assert.equal(opened.store.requestIds, requests);
    }
    opened.journal.close();
    assert.ok(applied > ROUNDS * 8, `only ${applied} commands were applied`);
  });
});
