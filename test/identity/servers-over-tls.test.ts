import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ID } from "../support/chain-world.ts";
import { arriving, honest, OPENSSL_IS_STRICTER, strictlyRefused, uriOf } from "./rows.ts";
import { call } from "./server-meeting.ts";

// The tables of chains-over-tls.test.ts, presented by servers: Coffer's client verifies the server, and sends nothing
// to one that it refuses. Every server closes the connection as soon as it receives something, so no call succeeds.
describe("over TLS, a server with a valid chain receives the call:", () => {
  for (const row of honest("server")) {
    it(row.what, async () => {
      assert.deepEqual(await call(row, uriOf(row.chain[0]!)), { refused: undefined, received: true });
    });
  }
});

describe("over TLS, a server with a hostile chain receives nothing:", () => {
  for (const row of arriving("server").filter(({ chain }) => chain.length > 0)) {
    it(`${row.what} (${row.reason})`, async () => {
      assert.deepEqual(await call(row, ID), { refused: row.reason, received: false });
    });
  }
});

describe("over TLS, a server with a valid chain that OpenSSL does not accept receives nothing:", () => {
  // A server of node:tls can't be configured with bytes that are not a certificate.
  const rows = strictlyRefused("server").filter(
    ({ what }) => OPENSSL_IS_STRICTER.get(what) !== "malformed-certificate",
  );
  for (const row of rows) {
    it(row.what, async () => {
      const { received } = await call(row, ID);
      assert.equal(received, false);
    });
  }
});
