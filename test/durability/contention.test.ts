import assert from "node:assert/strict";
import { after, test } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import type { Outcome } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";

const WRITERS = 64;
const ROUNDS = 12;

const site = new Site();
after(() => site.remove());

// In each round, 64 writers on eight connections expect the same version. Exactly one succeeds. All others get
// VERSION_MISMATCH with the latest version, version numbers have no gaps, and the stored value is that of the winner.
test("of 64 writers that expect the same version, exactly one succeeds", async () => {
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
  // The control: without an expected version, all succeed, each with a different version.
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
