import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { MemoryJournal } from "../../src/persistence/memory-journal.ts";
import { type StoreFile, openStoreFile } from "../../src/persistence/store-file.ts";
import { versionContext } from "../../src/sealing/context.ts";
import { SecretKey } from "../../src/sealing/secret-key.ts";
import { STORE_ID_BYTES, XChaChaSealer } from "../../src/sealing/xchacha-sealer.ts";
import type { Change, VersionRef } from "../../src/store/change.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import { ScriptedJournal } from "../support/scripted-journal.ts";
import { loadStore } from "../support/store-kit.ts";
import { type StoreModel, type Wish, isIdle } from "./store-model.ts";
import { type Run, type Subject, contentOf } from "./store-run.ts";
import { ATTEMPTS } from "./store-steps.ts";

function newSealer(): XChaChaSealer {
  return new XChaChaSealer({ key: SecretKey.random(), keyId: 1, storeId: Buffer.alloc(STORE_ID_BYTES, 3) });
}

/** Subjects that nobody shares have nothing to do with what others do. */
const ALONE = { prepare: () => {}, gaveUp: () => false, foreign: () => {} };

/** A store that forgets; a restart is none. */
export async function memorySubject(run: Run): Promise<Subject> {
  const sealer = newSealer();
  const store = await loadStore(new MemoryJournal(), { sealer, timers: run.timers });
  return { ...ALONE, store, checkpoint: () => {}, restart: async () => {}, close: () => sealer.close() };
}

/** A store on disk, in a new folder below the given one. */
export async function sqliteSubject(run: Run, folder: string): Promise<Subject> {
  const data = mkdtempSync(join(folder, "run-"));
  const open = (): StoreFile => openStoreFile({ data, rootKey: SecretKey.take(Buffer.alloc(32, 5)) });
  const load = ({ journal, sealer }: StoreFile) => loadStore(journal, { sealer, timers: run.timers });
  let file = open();
  let store = await load(file);
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
      store = await load(file);
      assert.equal(store.totals.bytes, bytes, "the bytes that count against the limit");
      run.seen.add("restart");
    },
    close,
  };
}

/** A store beside others that write to the same journal, often just before it does. */
export async function sharedSubject(run: Run): Promise<Subject> {
  const sealer = newSealer();
  const journal = new ScriptedJournal();
  const load = () => loadStore(journal, { sealer, timers: run.timers });
  let store = await load();
  let waiting: Wish[] = [];
  let stale = 0;
  let isFed = true;
  const feed = () => {
    journal.feed();
    isFed = true;
  };
  const elsewhere = (wish: Wish) => {
    const time = Math.max(run.now + 500, run.model.lastTime); // their clocks are ahead
    const change = changeOf(wish, run.model, sealer, time);
    if (change === undefined) return;
    journal.commitElsewhere({ changes: [change] });
    run.model.apply(wish, journal.revision, time);
    isFed = false;
  };
  journal.beforeCommit = () => {
    // Nothing of the group is visible, and nobody has been answered, before it is durable.
    assert.equal(run.answered, 0, "an answer was given before the commit");
    if (isFed) run.compare(store);
    const wish = waiting.shift();
    if (wish !== undefined) elsewhere(wish);
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
    foreign(wish) {
      elsewhere(wish);
      // What this process committed itself comes along; it is known already.
      journal.feed(journal.entries.slice(-3));
      feed();
    },
    checkpoint: () => {},
    async restart() {
      store = await load();
      feed();
    },
    close: () => sealer.close(),
  };
}

/** The change that another replica makes of a wish; undefined when it changes nothing. */
function changeOf(wish: Wish, model: StoreModel, sealer: XChaChaSealer, time: number): Change | undefined {
  const verdict = model.judge(wish);
  const path = parseSecretPath(wish.path);
  const { author } = wish;
  const ref = (version: number): VersionRef => ({
    version,
    revision: model.secrets.get(wish.path)!.find(({ number }) => number === version)!.revision,
  });
  if ("versions" in verdict && !isIdle(verdict)) {
    return { kind: "delete", path, versions: verdict.versions.map(ref), time, author };
  }
  if (wish.kind === "delete" || !("version" in verdict)) return undefined;
  const { version } = verdict;
  const sealed = sealer.seal(encodeContent(contentOf(wish.value)), versionContext(path, version));
  return { kind: "put", path, version, sealed, time, author, pruned: verdict.pruned.map(ref) };
}
