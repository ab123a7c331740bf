import type { SecretPath } from "../domain/secret-path.ts";
import type { Change } from "./change.ts";
import { type Draft, Fork } from "./draft.ts";
import type { DueChanges } from "./due-changes.ts";
import { removeExpired } from "./state-operations.ts";
import type { Plan, Submission } from "./submission.ts";

/** The changes that the server makes because time has passed. */
export class Sweep implements Submission<void> {
  readonly author = "";
  readonly #due: DueChanges;

  constructor(due: DueChanges) {
    this.#due = due;
  }

  plan(draft: Draft): Plan<void> {
    const fork = new Fork(draft, this.author);
    for (const [path, numbers] of this.#dueByPath()) this.#expire(fork, path, numbers);
    for (const { path, revision } of this.#due.tombstones) {
      const stored = fork.get(path);
      if (stored?.kind !== "tombstone" || stored.revision !== revision) continue;
      fork.apply({ kind: "forget", path, time: fork.time, author: fork.author });
    }
    return this.#planned(fork.changes);
  }

  end(): void {}

  #expire(fork: Fork, path: SecretPath, numbers: ReadonlySet<number>): void {
    const stored = fork.get(path);
    if (stored?.kind !== "secret") return;
    const due = stored.versions.filter(({ number }) => numbers.has(number));
    removeExpired(fork, stored, due);
  }

  #dueByPath(): ReadonlyMap<SecretPath, ReadonlySet<number>> {
    const byPath = new Map<SecretPath, Set<number>>();
    for (const { path, version } of this.#due.versions) {
      const numbers = byPath.get(path) ?? new Set();
      byPath.set(path, numbers.add(version));
    }
    return byPath;
  }

  #planned(changes: readonly Change[]): Plan<void> {
    const { requestsBefore: before } = this.#due;
    if (changes.length === 0 && before === undefined)
      return { kind: "unchanged", waitsForErasure: true, answer: () => {} };
    const requests = before === undefined ? undefined : ({ kind: "forget", before } as const);
    return { kind: "change", waitsForErasure: true, entry: { changes, requests }, answer: () => {} };
  }
}
