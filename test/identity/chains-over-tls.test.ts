import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { type Case, ID } from "../unit/identity/chain-world.ts";
import { HONEST } from "../unit/identity/honest-chains.ts";
import { HOSTILE } from "../unit/identity/hostile-chains.ts";
import { atTheFrontDoor } from "./front-door.ts";
import { bare, openssl, type Peer } from "./peers.ts";

/** A row that does not reach the verifier as it was sent, and what becomes of it instead. Only `bare` can send it. */
const NEVER_REACHES_US: ReadonlyMap<string, "handshake-failed" | "made good"> = new Map([
  // The server's OpenSSL can't read these.
  ["no bytes", "handshake-failed"],
  ["no certificate", "handshake-failed"],
  ["a certificate that is cut off", "handshake-failed"],
  ["a byte after the certificate", "handshake-failed"],
  ["two certificates in one", "handshake-failed"],
  ["junk behind a good leaf", "handshake-failed"],
  ["a serial number with a leading zero", "handshake-failed"],
  ["a point that is not on the curve", "handshake-failed"],
  // TLS 1.3 has no signatures with this curve.
  ["a key on secp256k1", "handshake-failed"],
  // Nobody holds this key.
  ["an RSA key of 16384 bits", "handshake-failed"],
  // OpenSSL writes the outermost length anew. What was signed is intact.
  ["a length with a leading zero", "made good"],
]);

/** These are judged by a client: a server asks for no other purpose than that of a client. */
const isShownToServers = ({ purpose }: Case) => purpose !== "server";

const honest = HONEST.filter(isShownToServers);
const hostile = Object.values(HOSTILE).flat().filter(isShownToServers);
const arriving = hostile.filter(({ what }) => !NEVER_REACHES_US.has(what));

/** The one URI of a leaf, read by OpenSSL. */
function uri(leaf: Uint8Array): string {
  const uris = new X509Certificate(leaf).subjectAltName!.split(", ").filter((name) => name.startsWith("URI:"));
  assert.equal(uris.length, 1);
  return uris[0]!.slice("URI:".length);
}

// For each row a server of its own and a peer that really shakes hands with it and calls Get at once. An honest one
// reaches the handler as who it is. A hostile one is refused for exactly its reason, and no handler is ever called.
const PEERS: Readonly<Record<string, Peer>> = {
  "OpenSSL's client": openssl,
  "a client that asks in the write that ends its handshake": bare,
};
for (const [name, peer] of Object.entries(PEERS)) {
  describe(`Over TLS, shown by ${name},`, () => {
    describe("an honest chain reaches the handler:", () => {
      for (const row of honest) {
        it(row.what, async () => {
          assert.deepEqual(await atTheFrontDoor(row, peer), { refused: [], handled: [uri(row.chain[0]!)] });
        });
      }
    });

    describe("a hostile chain is refused:", () => {
      for (const row of arriving) {
        it(`${row.what} (${row.reason})`, async () => {
          const { refused, handled } = await atTheFrontDoor(row, peer);
          assert.deepEqual([refused.map(({ reason }) => reason), handled], [[row.reason], []]);
        });
      }
    });
  });
}

// OpenSSL stands before the verifier, and its own client would not send these.
describe("Over TLS, a chain that the verifier does not get to see as it was sent,", () => {
  for (const [what, end] of NEVER_REACHES_US) {
    it(`${what}: ${end}`, async () => {
      const row = hostile.find((candidate) => candidate.what === what)!;
      const { refused, handled } = await atTheFrontDoor(row, bare);
      const reasons = refused.map(({ reason }) => reason);
      assert.deepEqual([reasons, handled], end === "made good" ? [[], [ID]] : [[end], []]);
    });
  }
});

it("enough of the tables arrives over TLS", (t) => {
  const counts = { honest: honest.length, hostile: arriving.length, "never reach us": NEVER_REACHES_US.size };
  t.diagnostic(JSON.stringify(counts));
  assert.ok(honest.length >= 25 && arriving.length >= 120, JSON.stringify(counts));
});
