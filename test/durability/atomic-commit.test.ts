import assert from "node:assert/strict";
import { after, test } from "node:test";
import { LONG } from "../support/long-form.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { randomFrom } from "./load.ts";

const COMMITS = LONG ? 100_000 : 600;
const KILLS = LONG ? 100 : 4;
const FAMILIES = 12;

const site = new Site();
after(() => site.remove());

/**
 * Secrets that only Commits change, and each Commit changes all of them. So all secrets of a family always have the
 * same value, the number of the Commit, and the same number of versions, one for each Commit.
 */
class Family {
  readonly paths: readonly string[];
  /** The number of the last acknowledged commit, and of the last one that was sent. */
  acknowledged = 0;
  sent = 0;

  constructor(index: number) {
    this.paths = Array.from({ length: 1 + ((index * 7) % 20) }, (_, i) => `family-${index}/${i}`);
  }

  /** Each secret gets a version. If there are operations to spare, the version before it is deleted. */
  operations(): object[] {
    const data = { number: String(this.sent) };
    const puts = this.paths.map((path) => ({ put: { path, data } }));
    const deletes = this.sent > 1 && this.paths.length <= 10 ? this.paths.map((path) => ({ delete: { path } })) : [];
    return [...deletes, ...puts];
  }
}

const numberIn = ({ response }: Outcome): number => Number(response.data.number);

/** Commits to one family until a call fails or `onAnswer` returns true. */
async function write(caller: Caller, family: Family, onAnswer: () => boolean): Promise<void> {
  for (;;) {
    family.sent = family.acknowledged + 1;
    const outcome = await caller.call("Commit", { operations: family.operations() });
    if (outcome.code !== "OK") return;
    family.acknowledged = family.sent;
    if (onAnswer()) return;
  }
}

/** Reads one family with BatchGet and with single Gets until the server is gone, and returns every half commit. */
async function read(caller: Caller, { paths }: Family, isOver: () => boolean): Promise<string[]> {
  const halves: string[] = [];
  for (let round = 0; !isOver(); round++) {
    const batch = await caller.call("BatchGet", { paths });
    if (batch.code !== "OK") break;
    const numbers = batch.response.entries.map((entry: { secret?: Outcome["response"] }) => entry.secret?.data.number);
    if (new Set(numbers).size > 1) halves.push(`${paths[0]}: ${numbers}`);
    // What is read later is never older.
    let last = Number(numbers[0] ?? 0);
    for (const path of [paths.at(-1)!, paths[0]!, paths[round % paths.length]!]) {
      const got = await caller.get({ path });
      if (got.code !== "OK") break;
      if (numberIn(got) < last) halves.push(`${path}: ${numberIn(got)} after ${last}`);
      last = numberIn(got);
    }
  }
  return halves;
}

/** Every contradiction between a family and a server that has just started. */
async function contradictions(caller: Caller, family: Family): Promise<string[]> {
  const found: string[] = [];
  const numbers = new Set<number>();
  for (const path of family.paths) {
    const got = await caller.get({ path });
    const described = await caller.describe({ path });
    const number = got.code === "OK" ? numberIn(got) : 0;
    numbers.add(number);
    if (number === 0) continue;
    if (described.response.latest_version !== number)
      found.push(`${path}: version ${described.response.latest_version} has ${number}`);
    const states = described.response.versions.slice(0, -1).map(({ state }: { state: string }) => state);
    const expected = family.paths.length <= 10 ? "VERSION_STATE_DELETED" : "VERSION_STATE_LIVE";
    if (states.some((state: string) => state !== expected)) found.push(`${path}: ${states}`);
  }
  const [number = 0] = numbers;
  if (numbers.size > 1) found.push(`${family.paths[0]} has a half commit: ${[...numbers]}`);
  if (number !== family.acknowledged && number !== family.sent) {
    found.push(`${family.paths[0]} has ${number} after ${family.acknowledged} was acknowledged`);
  }
  family.acknowledged = number;
  return found;
}

/** Writes and reads until `commits` are acknowledged, then kills the server. Returns the number of calls in flight. */
async function crash(server: ServerProcess, families: readonly Family[], commits: number): Promise<number> {
  const callers = Array.from({ length: 4 }, () => site.caller(server));
  let acknowledged = 0;
  let [isOver, inFlight] = [false, 0];
  const onAnswer = () => {
    acknowledged += 1;
    if (acknowledged === commits) {
      inFlight = families.length - 1;
      isOver = true;
      server.signal("SIGKILL");
    }
    return isOver;
  };
  const writing = families.map((family, i) => write(callers[i % 3]!, family, onAnswer));
  const reading = families.slice(0, 4).map((family) => read(callers[3]!, family, () => isOver));
  const halves = (await Promise.all([Promise.all(reading), Promise.all(writing)]))[0].flat();
  for (const caller of callers) caller.close();
  assert.deepEqual(await server.ended, { code: null, signal: "SIGKILL" });
  assert.deepEqual(halves, []);
  return inFlight;
}

// A Commit is applied completely or not at all: no half of it is ever seen by BatchGet or by Get while the server runs, or
// after it was killed and started again. Acknowledged Commits are present.
test(`no half of ${COMMITS} Commits is seen while the server is killed ${KILLS} times`, async () => {
  const families = Array.from({ length: FAMILIES }, (_, index) => new Family(index));
  const random = randomFrom(17);
  let server = await site.start();
  let unknown = 0;
  // Whether Commits are in flight at a kill depends on the machine, so there are more kills until it is enough.
  for (let kill = 0; kill < KILLS || unknown < KILLS; kill++) {
    const each = COMMITS / KILLS;
    await crash(server, families, Math.ceil(each * (1 + random() / 10)));
    unknown += families.filter(({ sent, acknowledged }) => sent > acknowledged).length;
    server = await site.start();
    const caller = site.caller(server);
    const found = await Promise.all(families.map((family) => contradictions(caller, family)));
    caller.close();
    assert.deepEqual(found.flat(), [], `after kill ${kill + 1}`);
  }
});
