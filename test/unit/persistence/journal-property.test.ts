import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MAX_VERSIONS } from "../../../src/contract/limits.ts";
import { openDatabase } from "../../../src/persistence/database.ts";
import { SqliteJournal } from "../../../src/persistence/sqlite-journal.ts";
import type { Change, VersionRef } from "../../../src/store/change.ts";
import type { Revision } from "../../../src/store/revision.ts";
import {
  committed,
  deletion,
  entries,
  plainContent,
  put,
  summary,
  temporaryFolder,
} from "../../support/persistence-kit.ts";

interface Version {
  readonly number: number;
  readonly group: number;
  readonly order: number;
  deletedBy?: number;
}

/** A model of a store in plain lists: the changes that it would request, and the expected content of the disk. */
class Model {
  readonly #secrets = new Map<string, Version[]>();
  /** The revision of each entry, by its order. */
  readonly revisions: Revision[] = [];
  #group = 0;
  #order = 0;

  nextGroup(): void {
    this.#group++;
  }

  put(path: string): Change {
    const versions = this.#secrets.get(path) ?? [];
    const version = { number: (versions.at(-1)?.number ?? 0) + 1, group: this.#group, order: this.#order++ };
    const pruned = versions.slice(0, Math.max(0, versions.length + 1 - MAX_VERSIONS));
    this.#secrets.set(path, [...versions.slice(pruned.length), version]);
    return put(
      path,
      version.number,
      pruned.map((one) => this.#ref(one)),
    );
  }

  /** Undefined if there is nothing to delete. */
  delete(path: string): Change | undefined {
    const live = (this.#secrets.get(path) ?? []).filter((version) => version.deletedBy === undefined);
    if (live.length === 0) return undefined;
    const change = deletion(
      path,
      live.map((one) => this.#ref(one)),
    );
    for (const version of live) version.deletedBy = this.#order;
    this.#order++;
    return change;
  }

  lines(): string[] {
    const lines: [Revision, number, string][] = [];
    for (const [path, versions] of this.#secrets) {
      for (const { number, order, deletedBy } of versions) {
        const at = (of: number) => this.revisions[of]!;
        lines.push([at(order), number, `${at(order)} put ${path} ${number}`]);
        if (deletedBy !== undefined) lines.push([at(deletedBy), number, `${at(deletedBy)} deleted ${path} ${number}`]);
      }
    }
    return lines.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , line]) => line);
  }

  #ref({ number, group, order }: Version): VersionRef {
    return { version: number, row: group === this.#group ? undefined : this.revisions[order] };
  }
}

const operation = fc.record({ kind: fc.constantFrom("put", "put", "delete"), path: fc.constantFrom("a", "b", "c/d") });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("group" as const), operations: fc.array(operation, { maxLength: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);

describe("a journal on disk", () => {
  // After any puts, prunings and deletions, in groups and across restarts, the disk has the same entries as the model,
  // in revision order, and revisions only increase.
  it("equals a simple model", async () => {
    const folder = temporaryFolder();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const file = join(folder, `${run++}.db`);
        const open = () => new SqliteJournal(openDatabase(file, plainContent));
        const model = new Model();
        let journal = open();
        for (const step of [...steps, { kind: "restart" as const }]) {
          if (step.kind === "restart") {
            journal.close();
            journal = open();
            assert.deepEqual(await summary(journal), model.lines());
            continue;
          }
          model.nextGroup();
          const changes = step.operations.map(({ kind, path }) =>
            kind === "put" ? model.put(path) : model.delete(path),
          );
          const group = entries(...changes.filter((change) => change !== undefined));
          const revisions = await committed(journal, group);
          assert.equal(revisions.length, group.length);
          for (const revision of revisions) {
            assert.ok(revision > (model.revisions.at(-1) ?? 0));
            model.revisions.push(revision);
          }
        }
        journal.close();
      }),
      { numRuns: 25 },
    );
  });
});
