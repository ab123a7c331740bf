import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { type StoreFile, openStoreFile } from "../../src/persistence/store-file.ts";
import { versionContext } from "../../src/sealing/context.ts";
import { SecretKey } from "../../src/sealing/secret-key.ts";
import { STORE_ID_BYTES, XChaChaSealer } from "../../src/sealing/xchacha-sealer.ts";
import type { Sealer } from "../../src/sealing/sealer.ts";
import type { Change } from "../../src/store/change.ts";
import type { Journal } from "../../src/store/journal.ts";
import { DEFAULT_SETTINGS } from "../../src/store/settings.ts";
import { AUTHOR_OVERHEAD } from "../../src/store/stored-size.ts";
import { ScriptedJournal } from "../support/scripted-journal.ts";
import { loadStore } from "../support/store-kit.ts";
import { LIMITS, type ModelCommand, type ModelSecret, Refusal } from "./store-model.ts";
import { type Run, type Subject, encoded } from "./store-run.ts";
import { ATTEMPTS } from "./store-steps.ts";

const SEALER = new XChaChaSealer({ key: SecretKey.random(), keyId: 1, storeId: Buffer.alloc(STORE_ID_BYTES, 3) });

/**
 * The maximum number of bytes for authors of changes that a later change has replaced. A restart does not load these
 * changes, and does not count their authors.
 */
const REPLACED_AUTHORS = 3 * (AUTHOR_OVERHEAD + 40);

/** The parts of a subject without other replicas. */
const ALONE = { prepare: () => {}, gaveUp: () => false, foreign: () => {} };

function load(run: Run, journal: Journal, sealer: Sealer) {
  return loadStore(journal, {
    sealer,
    timers: run.timers,
    clock: run.restartClock(),
    maxContentBytes: LIMITS.contentBytes,
    maxRequestIds: LIMITS.requestIds,
    tombstoneRetentionMs: LIMITS.tombstoneMs,
    onFailed: (cause) => run.failures.push(cause),
  });
}

/** A store on a journal in memory. */
export async function memorySubject(run: Run): Promise<Subject> {
  const journal = new ScriptedJournal();
  let store = await load(run, journal, SEALER);
  return {
    ...ALONE,
    get store() {
      return store;
    },
    checkpoint: () => {},
    async restart() {
      store = await load(run, journal, SEALER);
    },
    close: () => {},
  };
}

/** A store on disk, in a new folder below the given one. */
export async function sqliteSubject(run: Run, folder: string): Promise<Subject> {
  const data = mkdtempSync(join(folder, "run-"));
  const open = (): StoreFile => openStoreFile({ data, rootKey: SecretKey.take(Buffer.alloc(32, 5)) });
  let file = open();
  let store = await load(run, file.journal, file.sealer);
  const close = () => {
    file.journal.close();
    file.sealer.close();
  };
  return {
    ...ALONE,
    get store() {
      return store;
    },
    checkpoint: () => file.journal.checkpoint("full"),
    async restart() {
      const { bytes } = store.totals;
      close();
      file = open();
      store = await load(run, file.journal, file.sealer);
      const missing = bytes - store.totals.bytes;
      assert.ok(missing >= 0 && missing <= REPLACED_AUTHORS, `${missing} of ${bytes} bytes are gone after a restart`);
      run.seen.add("restart");
    },
    close,
  };
}

/** A store beside other replicas that write to the same journal, often just before this store commits. */
export async function sharedSubject(run: Run): Promise<Subject> {
  const journal = new ScriptedJournal();
  let store = await load(run, journal, SEALER);
  let waiting: ModelCommand[] = [];
  let stale = 0;
  let isFed = true;
  const feed = () => {
    journal.feed();
    isFed = true;
  };
  const elsewhere = (command: ModelCommand) => {
    const time = run.now() + 500; // the clocks of the other replicas are ahead
    const changes = foreignChanges(run, command, journal.revision + 3, time);
    if (changes.length === 0) return;
    journal.commitElsewhere({ changes, requests: undefined });
    isFed = false;
  };
  journal.beforeCommit = () => {
    // Before the commit, no change of the group is visible, and no caller is answered.
    assert.equal(run.answered, 0, "an answer was given before the commit");
    if (isFed) run.compareSecrets(store);
    const command = waiting.shift();
    if (command !== undefined) elsewhere(command);
    if (isFed) return;
    stale += 1;
    run.seen.add("stale");
    setImmediate(feed);
  };
  return {
    get store() {
      return store;
    },
    prepare(foreign) {
      waiting = [...foreign];
      stale = 0;
    },
    gaveUp: () => stale === ATTEMPTS,
    foreign(command) {
      elsewhere(command);
      // The feed also delivers this process's own commits, which are already published.
      journal.feed(journal.entries.slice(-3));
      feed();
    },
    checkpoint: () => {},
    async restart() {
      store = await load(run, journal, SEALER);
      feed();
    },
    close: () => {},
  };
}

/** Applies the command of another replica to the model, and returns its changes; none if it is refused or changes nothing. */
function foreignChanges({ model }: Run, command: ModelCommand, revision: number, time: number): Change[] {
  const { path } = command.operations[0]!;
  const before = structuredClone(model.secrets.get(path));
  try {
    if (!model.resultOf(command, time).isChange) return [];
    model.apply(command, revision, time);
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
  return changesBetween(path, before, model.secrets.get(path)!, { time, author: command.author });
}

function changesBetween(
  name: string,
  before: ModelSecret | undefined,
  after: ModelSecret,
  made: { readonly time: number; readonly author: string },
): Change[] {
  const path = parseSecretPath(name);
  const changes: Change[] = [];
  if (before?.purged !== undefined) {
    const settings = { ...DEFAULT_SETTINGS, firstVersion: before.last + 1 };
    changes.push({ kind: "settings", path, ...made, settings, pruned: [] });
  }
  const ref = ({ number }: { number: number }) => ({ version: number, row: undefined });
  for (const version of after.versions) {
    const { number, state, expires: expireTime, values } = version;
    const old = before?.versions.find((one) => one.number === number);
    if (old === undefined) {
      const sealed = SEALER.seal(encoded(values!), versionContext(path, number));
      const pruned = (before?.versions ?? []).filter(
        (one) => !after.versions.some((kept) => kept.number === one.number),
      );
      changes.push({
        kind: "put",
        path,
        ...made,
        version: number,
        sealed,
        expireTime,
        rowsBefore: 0,
        pruned: pruned.map(ref),
      });
    } else if (JSON.stringify(old.changed) !== JSON.stringify(version.changed)) {
      changes.push({ kind: "state", path, ...made, author: version.changed!.by, state, versions: [ref(version)] });
    }
  }
  return changes;
}
