import assert from "node:assert/strict";
import { after, test } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import type { Outcome } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";

const WRITERS = 64;
const ROUNDS = 12;

const site = new Site();
after(() => site.remove());

// 64 writers on eight connections who all expect the same version, round after round: each version has one winner, all
// others are told which version is the latest, no number is left out, and what is stored is the winner's.
test("of 64 writers that expect the same version, one wins", async () => {
  const server = await site.start();
  const callers = Array.from({ length: 8 }, () => site.caller(server));
  for (let round = 0; round < ROUNDS; round++) {
    const outcomes = await Promise.all(
      Array.from({ length: WRITERS }, (_, writer) =>
        callers[writer % callers.length]!.put({
          path: "contended",
          ...contentOf(`${round}/${writer}`),
          expected_version: round,
        }),
      ),
    );
    const winners = outcomes.flatMap(({ code }, writer) => (code === "OK" ? [writer] : []));
    assert.equal(winners.length, 1, `winners of round ${round}: ${winners}`);
    assert.equal(outcomes[winners[0]!]!.response.version, round + 1);
    assert.deepEqual(new Set(outcomes.filter(({ code }) => code !== "OK").map(refusal)), new Set([lost(round + 1)]));
    const stored = await callers[0]!.get({ path: "contended" });
    assert.equal(storedValue(stored.response), `${round}/${winners[0]}`);
  }
  // The control: without an expectation all of them win, each with a number of its own.
  const free = await Promise.all(
    Array.from({ length: WRITERS }, (_, writer) =>
      callers[writer % callers.length]!.put({ path: "contended", ...contentOf(`free/${writer}`) }),
    ),
  );
  const versions = free.map(({ response }) => response.version).sort((a, b) => a - b);
  assert.deepEqual(
    versions,
    Array.from({ length: WRITERS }, (_, i) => ROUNDS + i + 1),
  );
  for (const caller of callers) caller.close();
});

function refusal({ code, reason, metadata }: Outcome): string {
  return `${code} ${reason} ${metadata["latest_version"]}`;
}

function lost(latest: number): string {
  return `ABORTED VERSION_MISMATCH ${latest}`;
}
