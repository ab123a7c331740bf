import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Dump, dump, linesOf, rowsOf } from "../support/dump.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { Ledger } from "../support/ledger.ts";
import { LOAD_PATHS, randomFrom, writeUntilGone } from "./load.ts";

// How often the server is killed. Another number is set by `COFFER_TEST_KILL_CYCLES=200 npm test -- kill`.
const CYCLES = Number(process.env["COFFER_TEST_KILL_CYCLES"] ?? 20);
const CONNECTIONS = 4;
const WRITERS = 16;

const site = new Site();
after(() => site.remove());

/** Kills the server while writers write, after a number of acknowledged changes that depends on the cycle. */
async function killDuringWrites(server: ServerProcess, ledger: Ledger, cycle: number): Promise<{ inFlight: number }> {
  const callers = Array.from({ length: CONNECTIONS }, () => site.caller(server));
  const lethal = 100 + Math.floor(randomFrom(cycle)() * 100);
  let acknowledged = 0;
  let inFlight = 0;
  const onAcknowledged = () => {
    acknowledged += 1;
    if (acknowledged !== lethal) return;
    server.signal("SIGKILL");
    inFlight = ledger.inFlight;
  };
  await writeUntilGone({ callers, ledger, name: `cycle-${cycle}`, writers: WRITERS, onAcknowledged });
  for (const caller of callers) caller.close();
  assert.deepEqual(await server.ended, { code: null, signal: "SIGKILL" });
  return { inFlight };
}

async function dumpWith(server: ServerProcess): Promise<Dump> {
  const caller = site.caller(server);
  const found = await dump(caller, LOAD_PATHS);
  caller.close();
  return found;
}

// The server is killed repeatedly, on the same data. After each restart, every acknowledged change is present, no
// change is present that no caller requested, versions and revisions do not decrease, and memory equals the disk.
test(`a server that is killed ${CYCLES} times has every acknowledged change and no other`, async () => {
  const ledger = new Ledger();
  const kills: { inFlight: number; unknown: number }[] = [];
  let server = await site.start();
  for (let cycle = 1; cycle <= CYCLES; cycle++) {
    const unknownBefore = ledger.count("unknown");
    const { inFlight } = await killDuringWrites(server, ledger, cycle);
    kills.push({ inFlight, unknown: ledger.count("unknown") - unknownBefore });
    const rows = rowsOf(site.data);
    server = await site.start();
    const found = await dumpWith(server);
    assert.deepEqual(ledger.check(found), [], `after kill ${cycle}`);
    assert.deepEqual(linesOf(found), rows, `memory and disk after kill ${cycle}`);
  }
  // The kills must occur while calls are in flight, or the run proves nothing.
  const hit = kills.filter(({ inFlight }) => inFlight > 0).length;
  const unanswered = kills.filter(({ unknown }) => unknown > 0).length;
  assert.ok(ledger.acknowledged >= 100 * CYCLES, `only ${ledger.acknowledged} changes were acknowledged`);
  assert.ok(hit >= 0.8 * CYCLES, `only ${hit} kills came while calls were in flight`);
  assert.ok(unanswered >= 0.5 * CYCLES, `only ${unanswered} kills left a call without an answer`);
  assert.ok(
    ledger.count("deleted") > 0 && ledger.count("refused") > 0,
    "no Delete was acknowledged, or no change refused",
  );
});
