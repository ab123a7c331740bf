import assert from "node:assert/strict";
import { generateKeyPairSync, getCurves, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { example, ID, workload } from "../support/chain-world.ts";
import { commonName } from "../support/certificate-forge.ts";
import { NO_FILTER } from "../../src/admission/certificate-filter.ts";
import { FILTER } from "../support/loaded-filter.ts";
import { servePeer } from "./peer-server.ts";
import { bare } from "./peers.ts";
import { call } from "./server-meeting.ts";

/** The SubjectPublicKeyInfo of a key; undefined for the few curves without an object identifier. */
function written(key: KeyObject): Buffer | undefined {
  try {
    return key.export({ type: "spki", format: "der" });
  } catch {
    return undefined;
  }
}

/** The kinds that the server accepts. */
const ACCEPTED: ReadonlySet<string> = new Set(["prime256v1, named", "secp384r1, named", "secp521r1, named", "ed25519"]);

/** Public keys of every kind that this release of Node can generate. */
function* keys(): Generator<readonly [kind: string, key: KeyObject]> {
  for (const curve of getCurves()) {
    for (const paramEncoding of ["named", "explicit"] as const) {
      yield [`${curve}, ${paramEncoding}`, generateKeyPairSync("ec", { namedCurve: curve, paramEncoding }).publicKey];
    }
  }
  yield ["ed25519", generateKeyPairSync("ed25519").publicKey];
  yield ["ed448", generateKeyPairSync("ed448").publicKey];
  yield ["x25519", generateKeyPairSync("x25519").publicKey];
  yield ["x448", generateKeyPairSync("x448").publicKey];
  yield ["rsa-pss", generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey];
}

// In some releases of Node, the code of node:tls that describes a certificate ends the process for some of these keys,
// and so would this test. The server must not run that code, neither for a chain that OpenSSL refuses nor for a chain that
// the server reads.
describe("a certificate with a key of any kind", () => {
  let shown = 0;
  for (const [kind, key] of keys()) {
    const publicKeyInfo = written(key);
    if (publicKeyInfo === undefined) continue;
    shown += 1;
    const strange = example.intermediate({ publicKeyInfo, subject: commonName("strange") });

    it(`${kind}: is refused between leaf and CA, and the server continues`, async () => {
      const chain = workload({}, example.intermediate({ publicKeyInfo }));
      for (const filter of [FILTER, NO_FILTER]) {
        const { refused, handled } = await servePeer({ what: kind, chain }, bare, filter);
        assert.deepEqual([refused.length, handled], [1, []]);
      }
    });

    it(`${kind}: after a valid chain, is refused or ignored by its kind, and ignored without the filter`, async () => {
      const chain = [...workload({}, example.intermediate()), strange.der];
      const { refused, handled } = await servePeer({ what: kind, chain }, bare);
      const expected = ACCEPTED.has(kind) ? [[], [ID]] : [["unacceptable-key"], []];
      assert.deepEqual([refused.map(({ reason }) => reason), handled], expected);
      assert.deepEqual(await servePeer({ what: kind, chain }, bare, NO_FILTER), { refused: [], handled: [ID] });
      assert.deepEqual(await call({ what: kind, chain }, ID), { refused: undefined, received: true });
    });
  }

  it("was presented with more than 100 kinds of keys", (t) => {
    t.diagnostic(`${shown} kinds of keys`);
    assert.ok(shown > 100, `${shown}`);
  });
});
