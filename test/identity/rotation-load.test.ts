import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CofferClient } from "../../src/client/coffer-client.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import { DELIVERIES } from "../support/delivery.ts";
import { LONG } from "../support/long-form.ts";
import { ADMIN } from "../support/server-kit.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { HeldStream } from "./held-stream.ts";
import { RotatingPair } from "./rotating-pair.ts";
import { SteadyLoad } from "./steady-load.ts";

/** How often the test repeats all kinds of rotation, ten rotations each time. */
const CYCLES = LONG ? 10 : 1;
const ROTATIONS = CYCLES * 10;

/** The number of calls between two rotations. */
const CALLS_BETWEEN = 20;

/**
 * The lifetime of SVIDs that are renewed late, in milliseconds. The server sends GOAWAY on their connections when a
 * fifth of the lifetime is left; the SVIDs are renewed after that, in the twelve seconds that are left. A machine under
 * load needs seconds for a rotation.
 */
const SHORT_LIFE_MS = 60_000;

/** An SVID that expires this much earlier gets its GOAWAY four seconds earlier, in milliseconds. */
const EARLIER_MS = 5000;

/** The numbers of the connections on which the load was answered so far. */
function connectionsUsed(server: ServerProcess): ReadonlySet<number> {
  const calls = server.lines("call").filter(({ method }) => /\/(Put|Get)$/.test(String(method)));
  return new Set(calls.map(({ connection }) => Number(connection)));
}

/** One cycle of all kinds of rotation. Each step rotates server and client. */
class Cycle {
  readonly #pair: RotatingPair;
  readonly #load: SteadyLoad;
  /** The least number of connections on which the load was answered so far. */
  #connections = 1;

  constructor(pair: RotatingPair, load: SteadyLoad) {
    this.#pair = pair;
    this.#load = load;
  }

  async run(): Promise<void> {
    const { domain } = this.#pair;
    await this.#rotate();
    domain.prepare();
    await this.#rotate();
    domain.activate();
    await this.#rotate();
    domain.retire();
    await this.#rotate();
    for (let i = 0; i < 4; i++) await this.#rotate();
    await this.#rotateLate();
  }

  async #rotate(): Promise<void> {
    await this.#pair.rotate();
    await this.#onAnotherConnection();
  }

  /** Resolves when calls were made on one more connection. */
  async #onAnotherConnection(): Promise<void> {
    this.#connections += 1;
    await this.#load.pass(CALLS_BETWEEN);
    await until("another connection is used", () => connectionsUsed(this.#pair.server).size >= this.#connections);
  }

  /**
   * Rotates twice, the second time after the server has sent GOAWAY. The server closes a connection that ignores it. The
   * load rests while nothing happens, until shortly before the GOAWAY.
   */
  async #rotateLate(): Promise<void> {
    const { server, domain } = this.#pair;
    const svid = await this.#pair.rotate(SHORT_LIFE_MS);
    const held = await HeldStream.open(server.port, svid);
    const early = await HeldStream.open(server.port, domain.issue("/early", { ttl: SHORT_LIFE_MS - EARLIER_MS }));
    await this.#onAnotherConnection();
    await this.#load.end();
    await early.receivedGoAway;
    early.close();
    this.#load.resume();
    await held.receivedGoAway;
    await this.#onAnotherConnection();
    await this.#rotate();
    await held.closed;
  }
}

/** Keeps the current SVID and follows only the bundles, like an attacker who has stolen the SVID and its key. */
function withoutRotation(identity: IdentitySource): Pick<IdentitySource, "snapshot" | "onChange"> {
  const first = identity.snapshot();
  return { snapshot: () => ({ ...first, bundles: identity.snapshot().bundles }), onChange: () => () => {} };
}

function assertNothingFailed({ failures, versions }: SteadyLoad): void {
  assert.deepEqual(failures, []);
  // The first version existed before. A Put that was applied twice would leave a gap.
  const made = [...versions].sort((a, b) => a - b);
  assert.deepEqual(
    made,
    Array.from(made, (_, i) => i + 2),
  );
  const least = (ROTATIONS * CALLS_BETWEEN) / 2;
  assert.ok(made.length >= least, `${made.length} Puts`);
}

/** Each new snapshot and each GOAWAY made the client use another connection. */
function assertEverythingRotated({ server, identity }: RotatingPair): void {
  const adopted = server.lines("identity updated").length;
  assert.ok(adopted > ROTATIONS, `the server adopted ${adopted}`);
  const { generation } = identity.snapshot();
  assert.ok(generation > ROTATIONS, `the client adopted ${generation}`);
  const connections = connectionsUsed(server).size;
  assert.ok(connections > ROTATIONS + CYCLES, `the client used ${connections} connections`);
}

/** The first SVID is refused, because the CA that issued it is no longer in the bundle. */
async function assertRefused(thief: CofferClient, server: ServerProcess): Promise<void> {
  await assert.rejects(thief.health(), { code: "UNAVAILABLE" });
  await server.logged("connection refused", ({ spiffe_id, reason }) => spiffe_id === ADMIN && reason === "untrusted");
}

// Server and client rotate continuously, including their CA, while calls begin every five milliseconds, some of
// them Puts. No call fails, and no Put is applied twice. A client that has not rotated is refused.
describe("rotations under load", { concurrency: true }, () => {
  for (const kind of DELIVERIES) {
    it(`fail no call (${ROTATIONS} rotations, from ${kind})`, async () => {
      const pair = await RotatingPair.start(kind);
      const load = await SteadyLoad.begin(pair.client);
      const thief = pair.connect(withoutRotation(pair.identity));
      try {
        assert.equal(await thief.health(), "SERVING");
        const cycle = new Cycle(pair, load);
        for (let i = 0; i < CYCLES; i++) await cycle.run();
        await load.end();
        assertNothingFailed(load);
        assertEverythingRotated(pair);
        await assertRefused(thief, pair.server);
      } finally {
        await load.end();
        await thief.close();
        await pair.stop();
      }
    });
  }
});
