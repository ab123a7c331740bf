import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ID } from "../support/chain-world.ts";
import { arriving, honest, OPENSSL_IS_STRICTER, strictlyRefused, uriOf } from "./rows.ts";
import { call } from "./server-meeting.ts";

// The same tables the other way around: a client of ours verifies the server, and says nothing to one that it refuses.
// Every server closes the connection as soon as it hears something, so no call succeeds.
describe("Over TLS, a server that shows an honest chain is spoken to:", () => {
  for (const row of honest("server")) {
    it(row.what, async () => {
      assert.deepEqual(await call(row, uriOf(row.chain[0]!)), { refused: undefined, heard: true });
    });
  }
});

describe("Over TLS, a server that shows a hostile chain is told nothing:", () => {
  for (const row of arriving("server").filter(({ chain }) => chain.length > 0)) {
    it(`${row.what} (${row.reason})`, async () => {
      assert.deepEqual(await call(row, ID), { refused: row.reason, heard: false });
    });
  }
});

describe("Over TLS, a server that shows an honest chain that OpenSSL is too strict for is told nothing:", () => {
  // A server of node:tls can't be given bytes that are no certificate.
  const rows = strictlyRefused("server").filter(({ what }) => OPENSSL_IS_STRICTER.get(what) !== "handshake-failed");
  for (const row of rows) {
    it(row.what, async () => {
      const { heard } = await call(row, ID);
      assert.equal(heard, false);
    });
  }
});
