import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { servePeer } from "./peer-server.ts";
import { bare, openssl, type Peer } from "./peers.ts";
import {
  arriving,
  FILTERED,
  honest,
  hostile,
  OPENSSL_IS_STRICTER,
  strictlyRefused,
  UNREADABLE,
  uriOf,
} from "./rows.ts";

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

// OpenSSL's own client would not send most of these.
describe("over TLS, a hostile chain is refused before OpenSSL reads it:", () => {
  for (const row of HOSTILE.filter(({ what }) => FILTERED.has(what))) {
    it(`${row.what} (${row.reason})`, async () => {
      const { refused, handled } = await servePeer(row, bare);
      assert.deepEqual([refused.map(({ reason }) => reason), handled], [[row.reason], []]);
    });
  }
});

describe("over TLS, the handshake of a client with a chain that OpenSSL can't read fails:", () => {
  for (const row of HOSTILE.filter(({ what }) => UNREADABLE.has(what))) {
    it(row.what, async () => {
      const { refused, handled } = await servePeer(row, bare);
      assert.deepEqual([refused.map(({ reason }) => reason), handled], [["handshake-failed"], []]);
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

it("most chains of the tables reach the verifier", (t) => {
  const counts = {
    honest: HONEST.length,
    arriving: ARRIVING.length,
    filtered: FILTERED.size,
    unreadable: UNREADABLE.size,
  };
  t.diagnostic(JSON.stringify(counts));
  assert.ok(HONEST.length >= 25 && ARRIVING.length >= 120, JSON.stringify(counts));
});
