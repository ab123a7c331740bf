// 64 writers and 64 readers call a server with three threads that answer calls. It is killed and started again several
// times. The long form makes a million calls: `npm test -- threads-consistency --long`.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { randomFrom } from "../durability/load.ts";
import { columnsOf } from "../support/dump.ts";
import type { RecordedChange, RecordedOperation, VersionState } from "../support/history.ts";
import { violations } from "../support/linearizability.ts";
import { LONG } from "../support/long-form.ts";
import { RecordedCaller, RecordedHistory } from "../support/recorded-caller.ts";
import type { Outcome } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const KILLS = LONG ? 20 : 3;
/** A server is killed when this number of calls is over, and this number of changes among them is answered. */
const CALLS = LONG ? 50_000 : 2_000;
const CHANGES = 0.3 * CALLS;
const CONNECTIONS = 8;
const THREADS = ["--threads", "3"];
const WORKERS = 64;

/**
 * Few paths, so that callers conflict, versions are pruned, and each path is read while it is written. Commits of several
 * of LIVES bring their versions into all states. LOADS are only put and deleted.
 */
const LIVES = Array.from({ length: 8 }, (_, i) => `a-life/${i}`);
const LOADS = Array.from({ length: 16 }, (_, i) => `load/${i}`);
const PATHS = [...LIVES, ...LOADS];

const STATE_OPERATIONS = ["delete", "undelete", "destroy"] as const;

/** Keepalive: Node 20 does not report the end of some connections to a killed server, which keep this process running. */
const PINGS = { "grpc.keepalive_time_ms": 5000, "grpc.keepalive_timeout_ms": 30_000 };

const site = new Site();
after(() => site.remove());

/** The load of one server's life: writers and readers on separate connections, until the server is killed. */
class Load {
  readonly #history: RecordedHistory;
  readonly #server: ServerProcess;
  readonly #name: string;
  readonly #random: () => number;
  /** The path of the last answered change: a reader reads it next, on another connection. */
  #changed = PATHS[0]!;
  #calls = 0;
  #changes = 0;
  #isKilled = false;

  constructor(history: RecordedHistory, server: ServerProcess, cycle: number) {
    this.#history = history;
    this.#server = server;
    this.#name = `life-${cycle}`;
    this.#random = randomFrom(cycle);
  }

  async run(): Promise<void> {
    const connections = Array.from({ length: 2 * CONNECTIONS }, () => site.caller(this.#server, PINGS));
    const callers = connections.map((connection) => new RecordedCaller(connection, this.#history, this.#server.ended));
    const workers = Array.from({ length: WORKERS }, (_, i) => [
      this.#repeat(() => this.#write(callers[i % CONNECTIONS]!, i)),
      this.#repeat(() => this.#read(callers[CONNECTIONS + (i % CONNECTIONS)]!)),
    ]);
    await Promise.all(workers.flat());
    for (const connection of connections) connection.close();
    assert.deepEqual(await this.#server.ended, { code: null, signal: "SIGKILL" });
  }

  /** Calls until the server is gone. It is killed while calls are in progress. */
  async #repeat(call: () => Promise<Outcome>): Promise<void> {
    for (;;) {
      const { code } = await call();
      // If a connection ends before the kill, later Puts prune its unanswered changes, so the disk does not show them.
      if (code === "UNAVAILABLE") assert.ok(this.#isKilled, "a connection ended before the kill");
      if (code === "UNAVAILABLE" || this.#server.isGone) return;
      this.#calls += 1;
      if (this.#calls >= CALLS && this.#changes >= CHANGES) this.#kill();
    }
  }

  #kill(): void {
    this.#isKilled = true;
    this.#server.signal("SIGKILL");
  }

  async #write(caller: RecordedCaller, writer: number): Promise<Outcome> {
    if (this.#random() < 0.3) return this.#commit(caller);
    const path = this.#any(LOADS);
    const outcome = await this.#change(caller, path, `${this.#name}/${writer}/${this.#history.moment()}`);
    if (outcome.code === "OK") this.#answered(path);
    return outcome;
  }

  #change(caller: RecordedCaller, path: string, value: string): Promise<Outcome> {
    const choice = this.#random();
    if (choice < 0.1) return caller.delete(path, []);
    if (choice < 0.2) return caller.delete(path, [this.#anyVersion()]);
    return caller.put(path, value, choice < 0.3 ? this.#anyVersion() : undefined);
  }

  /**
   * Changes several secrets together. One operation puts a path that no other change uses. If the Commit gets no
   * answer, this path shows later whether it was applied.
   */
  async #commit(caller: RecordedCaller): Promise<Outcome> {
    const mark = `mark/${this.#name}/${this.#history.moment()}`;
    const lives = [...new Set([this.#any(LIVES), this.#any(LIVES), this.#any(LIVES)])];
    const operations = lives.map((path) => this.#operation(path, mark));
    const outcome = await caller.commit([{ kind: "put", path: mark, value: mark }, ...operations]);
    if (outcome.code === "OK") this.#answered(lives[0]!);
    return outcome;
  }

  #answered(path: string): void {
    this.#changes += 1;
    this.#changed = path;
  }

  #operation(path: string, mark: string): RecordedOperation {
    const choice = this.#random();
    if (choice < 0.5) return { kind: "put", path, value: `${mark} of ${path}` };
    if (choice < 0.6) return { kind: "copy", path, source: this.#any(PATHS), version: 0 };
    if (choice < 0.65) return { kind: "purge", path };
    const named = this.#random() < 0.8 ? [] : [this.#anyVersion()];
    return { kind: this.#any(STATE_OPERATIONS), path, named };
  }

  #read(caller: RecordedCaller): Promise<Outcome> {
    const choice = this.#random();
    const path = choice < 0.4 ? this.#changed : this.#any(PATHS);
    if (choice > 0.95) return caller.list(PATHS);
    if (choice > 0.85) return caller.batchGet(LIVES);
    if (choice > 0.75) return caller.describe(path);
    return caller.get(path, choice > 0.65 ? this.#anyVersion() : 0);
  }

  #any<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  #anyVersion(): number {
    return 1 + Math.floor(this.#random() * 12);
  }
}

/** The states of versions by their numbers on the disk. */
const STATES: readonly VersionState[] = ["live", "deleted", "destroyed"];

/** Records what is on the disk of a server that was killed. Only the disk has the revisions of deletions. */
function readDisk(history: RecordedHistory): void {
  const begin = history.moment();
  const rows = columnsOf(site.data, ["path", "version", "row_number + rows_before", "state", "state_revision"]);
  for (const path of PATHS) {
    const versions = rows
      .filter(([owner]) => owner === path)
      .map(([, version, revision, state, changed]) => ({
        version: Number(version),
        revision: Number(revision),
        // A state that was never changed has no revision.
        state: changed === null ? "live" : STATES[Number(state)]!,
        changed: changed === null ? undefined : Number(changed),
      }));
    const seen = versions.length === 0 ? { kind: "missing" as const } : { kind: "described" as const, versions };
    history.add({ kind: "read", facts: [{ path, seen }], begin, end: history.moment() });
  }
}

/** Reads every version of every path from a server, on several connections. */
async function readAll(history: RecordedHistory, server: ServerProcess): Promise<void> {
  const connections = Array.from({ length: 3 }, () => site.caller(server));
  for (const connection of connections) {
    const caller = new RecordedCaller(connection, history);
    await Promise.all(
      PATHS.map(async (path) => {
        const { response } = await caller.describe(path);
        const versions: { version: number }[] = response?.versions ?? [];
        await Promise.all(versions.map(({ version }) => caller.get(path, version)));
      }),
    );
    await caller.list(PATHS);
    await caller.batchGet(PATHS);
    connection.close();
  }
}

/** For each change without an answer, reads the path that only this change has put. */
async function readMarks(history: RecordedHistory, server: ServerProcess, changes: readonly RecordedChange[]) {
  const marks = changes
    .flatMap(({ operations }) => operations.map(({ path }) => path))
    .filter((path) => !PATHS.includes(path));
  if (marks.length === 0) return;
  const connection = site.caller(server);
  const outcome = await new RecordedCaller(connection, history).batchGet(marks);
  assert.equal(outcome.code, "OK", outcome.message);
  connection.close();
}

// Every call takes effect at one moment between its beginning and its answer, whichever connection, and so whichever
// thread, it uses. A kill loses no change that was answered or read. No call sees only a part of a Commit, and no kill leaves
// only a part of one.
test(`three threads answer as one store, over ${KILLS} kills`, async () => {
  const history = new RecordedHistory();
  let unanswered: readonly RecordedChange[] = [];
  let interrupted = 0;
  // The kills must interrupt changes. Whether one does depends on the machine, so there are more kills if none did.
  for (let cycle = 1; cycle <= KILLS || interrupted === 0; cycle++) {
    const server = await site.start({ flags: THREADS });
    await readMarks(history, server, unanswered);
    await readAll(history, server);
    await new Load(history, server, cycle).run();
    unanswered = history.serverEnded();
    interrupted += unanswered.length;
    readDisk(history);
  }
  const server = await site.start({ flags: THREADS });
  await readMarks(history, server, unanswered);
  await readAll(history, server);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(violations(history.events), []);
  assert.ok(history.answered >= KILLS * CHANGES, `only ${history.answered} changes were answered`);
  assert.deepEqual(missingKinds(history), [], "operations that no answered change has");
});

function missingKinds({ events }: RecordedHistory): readonly string[] {
  const answered = events.flatMap((event) => (event.kind === "change" && event.answer ? event.operations : []));
  const kinds = new Set(answered.map(({ kind }) => kind));
  return (["put", "copy", "purge", ...STATE_OPERATIONS] as const).filter((kind) => !kinds.has(kind));
}
