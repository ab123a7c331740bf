import assert from "node:assert/strict";
import { generateKeyPairSync, getCurves, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { example, workload } from "../support/chain-world.ts";
import { atTheFrontDoor } from "./front-door.ts";
import { bare } from "./peers.ts";

/** As it stands in a certificate; undefined for the few curves that have no name to write there. */
function written(key: KeyObject): Buffer | undefined {
  try {
    return key.export({ type: "spki", format: "der" });
  } catch {
    return undefined;
  }
}

/** Public keys of every kind that this Node can make. */
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

describe("A stranger's intermediate", () => {
  // Node itself makes objects of the certificates that a peer has sent, and its 24 ends the process at some of these: then
  // this test ends as well. All of them are refused, since no authority has signed such a key's certificate for this leaf.
  it("may have a key of any kind, and the server goes on", async (t) => {
    let shown = 0;
    for (const [kind, key] of keys()) {
      const publicKeyInfo = written(key);
      if (publicKeyInfo === undefined) continue;
      const chain = workload({}, example.intermediate({ publicKeyInfo }));
      const { refused, handled } = await atTheFrontDoor({ what: kind, chain }, bare);
      assert.deepEqual([refused.length, handled], [1, []], kind);
      shown += 1;
    }
    assert.ok(shown > 100, `${shown}`);
    t.diagnostic(`${shown} kinds of keys`);
  });

  it("with the key that signed the leaf is taken", async () => {
    const { refused, handled } = await atTheFrontDoor(
      { what: "control", chain: workload({}, example.intermediate()) },
      bare,
    );
    assert.deepEqual([refused, handled.length], [[], 1]);
  });
});
