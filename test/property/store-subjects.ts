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
import { type StoreModel, type ChangeRequest, changesNothing } from "./store-model.ts";
import { type Run, type Subject, contentOf } from "./store-run.ts";
import { ATTEMPTS } from "./store-steps.ts";

function newSealer(): XChaChaSealer {
  return new XChaChaSealer({ key: SecretKey.random(), keyId: 1, storeId: Buffer.alloc(STORE_ID_BYTES, 3) });
}

/** The parts of a subject without other replicas. */
const ALONE = { prepare: () => {}, gaveUp: () => false, foreign: () => {} };

/** A store in memory. A restart does nothing. */
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
      assert.equal(store.totals.bytes, bytes, "the bytes that count against the limit are the same after a restart");
      run.seen.add("restart");
    },
    close,
  };
}

/** A store beside other replicas that write to the same journal, often just before this store commits. */
export async function sharedSubject(run: Run): Promise<Subject> {
  const sealer = newSealer();
  const journal = new ScriptedJournal();
  const load = () => loadStore(journal, { sealer, timers: run.timers });
  let store = await load();
  let waiting: ChangeRequest[] = [];
  let stale = 0;
  let isFed = true;
  const feed = () => {
    journal.feed();
    isFed = true;
  };
  const elsewhere = (request: ChangeRequest) => {
    const time = Math.max(run.now + 500, run.model.lastTime); // the clocks of the other replicas are ahead
    const change = changeOf(request, run.model, sealer, time);
    if (change === undefined) return;
    journal.commitElsewhere({ changes: [change] });
    run.model.apply(request, journal.revision, time);
    isFed = false;
  };
  journal.beforeCommit = () => {
    // Before the commit, no change of the group is visible, and no caller is answered.
    assert.equal(run.answered, 0, "an answer was given before the commit");
    if (isFed) run.compare(store);
    const request = waiting.shift();
    if (request !== undefined) elsewhere(request);
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
    foreign(request) {
      elsewhere(request);
      // The feed also delivers this process's own commits, which are already published.
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

/** The change of another replica for a request; undefined if it changes nothing. */
function changeOf(request: ChangeRequest, model: StoreModel, sealer: XChaChaSealer, time: number): Change | undefined {
  const result = model.resultOf(request);
  const path = parseSecretPath(request.path);
  const { author } = request;
  const ref = (version: number): VersionRef => ({
    version,
    revision: model.secrets.get(request.path)!.find(({ number }) => number === version)!.revision,
  });
  if ("versions" in result && !changesNothing(result)) {
    return { kind: "delete", path, versions: result.versions.map(ref), time, author };
  }
  if (request.kind === "delete" || !("version" in result)) return undefined;
  const { version } = result;
  const sealed = sealer.seal(encodeContent(contentOf(request.value)), versionContext(path, version));
  return { kind: "put", path, version, sealed, time, author, pruned: result.pruned.map(ref) };
}
