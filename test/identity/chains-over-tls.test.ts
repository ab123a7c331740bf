import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ID } from "../support/chain-world.ts";
import { servePeer } from "./peer-server.ts";
import { bare, openssl, type Peer } from "./peers.ts";
import { arriving, honest, hostile, NOT_AS_SENT, OPENSSL_IS_STRICTER, strictlyRefused, uriOf } from "./rows.ts";

const HONEST = honest("client");
const HOSTILE = hostile("client");
const ARRIVING = arriving("client");

// For each row, a new server starts, and a peer performs a TLS handshake with it and calls Get immediately. A valid peer
// reaches the handler with its SPIFFE ID. A hostile one is refused with exactly its reason, and no handler is called.
const PEERS: Readonly<Record<string, Peer>> = {
  "OpenSSL's client": openssl,
  "a client that sends its request in one write with its Finished": bare,
};
for (const [name, peer] of Object.entries(PEERS)) {
  describe(`over TLS, presented by ${name},`, () => {
    describe("a valid chain reaches the handler:", () => {
      for (const row of HONEST) {
        it(row.what, async () => {
          assert.deepEqual(await servePeer(row, peer), { refused: [], handled: [uriOf(row.chain[0]!)] });
        });
      }
    });

    describe("a hostile chain is refused:", () => {
      for (const row of ARRIVING) {
        it(`${row.what} (${row.reason})`, async () => {
          const { refused, handled } = await servePeer(row, peer);
          assert.deepEqual([refused.map(({ reason }) => reason), handled], [[row.reason], []]);
        });
      }
    });
  });
}

// OpenSSL and Node process these before the verifier, and OpenSSL's own client would not send most of them.
describe("over TLS, a chain that does not reach the verifier as it was sent,", () => {
  for (const [what, end] of NOT_AS_SENT) {
    it(`${what}: ${end}`, async () => {
      const row = HOSTILE.find((candidate) => candidate.what === what)!;
      const { refused, handled } = await servePeer(row, bare);
      const reasons = refused.map(({ reason }) => reason);
      assert.deepEqual([reasons, handled], end === "accepted" ? [[], [ID]] : [[end], []]);
    });
  }
});

// The specifications allow these chains, and OpenSSL does not.
describe("over TLS, a valid chain that OpenSSL does not accept is refused:", () => {
  for (const row of strictlyRefused("client")) {
    it(row.what, async () => {
      const { refused, handled } = await servePeer(row, bare);
      assert.deepEqual([refused.map(({ reason }) => reason), handled], [[OPENSSL_IS_STRICTER.get(row.what)], []]);
    });
  }
});

it("most chains of the tables reach the verifier over TLS as they were sent", (t) => {
  const counts = { honest: HONEST.length, hostile: ARRIVING.length, "do not reach it as sent": NOT_AS_SENT.size };
  t.diagnostic(JSON.stringify(counts));
  assert.ok(HONEST.length >= 25 && ARRIVING.length >= 120, JSON.stringify(counts));
});
