import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ID } from "../support/chain-world.ts";
import { atTheFrontDoor } from "./front-door.ts";
import { bare, openssl, type Peer } from "./peers.ts";
import { arriving, honest, hostile, NEVER_REACHES_US, OPENSSL_IS_STRICTER, strictlyRefused, uriOf } from "./rows.ts";

const HONEST = honest("client");
const HOSTILE = hostile("client");
const ARRIVING = arriving("client");

// For each row a server of its own and a peer that really shakes hands with it and calls Get at once. An honest one
// reaches the handler as who it is. A hostile one is refused for exactly its reason, and no handler is ever called.
const PEERS: Readonly<Record<string, Peer>> = {
  "OpenSSL's client": openssl,
  "a client that asks in the write that ends its handshake": bare,
};
for (const [name, peer] of Object.entries(PEERS)) {
  describe(`Over TLS, shown by ${name},`, () => {
    describe("an honest chain reaches the handler:", () => {
      for (const row of HONEST) {
        it(row.what, async () => {
          assert.deepEqual(await atTheFrontDoor(row, peer), { refused: [], handled: [uriOf(row.chain[0]!)] });
        });
      }
    });

    describe("a hostile chain is refused:", () => {
      for (const row of ARRIVING) {
        it(`${row.what} (${row.reason})`, async () => {
          const { refused, handled } = await atTheFrontDoor(row, peer);
          assert.deepEqual([refused.map(({ reason }) => reason), handled], [[row.reason], []]);
        });
      }
    });
  });
}

// OpenSSL and Node stand before the verifier, and OpenSSL's own client would not send most of these.
describe("Over TLS, a chain that the verifier does not get to see as it was sent,", () => {
  for (const [what, end] of NEVER_REACHES_US) {
    it(`${what}: ${end}`, async () => {
      const row = HOSTILE.find((candidate) => candidate.what === what)!;
      const { refused, handled } = await atTheFrontDoor(row, bare);
      const reasons = refused.map(({ reason }) => reason);
      assert.deepEqual([reasons, handled], end === "made good" ? [[], [ID]] : [[end], []]);
    });
  }
});

// The specifications allow these, and OpenSSL does not.
describe("Over TLS, an honest chain that OpenSSL is too strict for is refused:", () => {
  for (const row of strictlyRefused("client")) {
    it(row.what, async () => {
      const { refused, handled } = await atTheFrontDoor(row, bare);
      assert.deepEqual([refused.map(({ reason }) => reason), handled], [[OPENSSL_IS_STRICTER.get(row.what)], []]);
    });
  }
});

it("enough of the tables arrives over TLS", (t) => {
  const counts = { honest: HONEST.length, hostile: ARRIVING.length, "never reach us": NEVER_REACHES_US.size };
  t.diagnostic(JSON.stringify(counts));
  assert.ok(HONEST.length >= 25 && ARRIVING.length >= 120, JSON.stringify(counts));
});
