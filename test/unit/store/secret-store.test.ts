import assert from "node:assert/strict";
import { it } from "node:test";
import { SecretKey } from "../../../src/sealing/secret-key.ts";
import type { Sealer } from "../../../src/sealing/sealer.ts";
import { XChaChaSealer } from "../../../src/sealing/xchacha-sealer.ts";
import { plainSealer } from "../../support/plain-sealer.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import { loadStore, opened, putRequest, read } from "../../support/store-kit.ts";

async function storeOfOne(sealer: Sealer) {
  const store = await loadStore(new ScriptedJournal(), { sealer });
  await store.change(putRequest("a", "kept"));
  return store;
}

// Sealed bytes that cannot be decrypted, and decrypted bytes that are not a content, are damage. The caller gets
// CONTENT_UNREADABLE.
it("the store reports content that cannot be decrypted or decoded as CONTENT_UNREADABLE", async () => {
  let damage = (sealed: Uint8Array) => sealed;
  const store = await storeOfOne({
    ...plainSealer,
    open: (sealed, context) => plainSealer.open(damage(sealed), context),
  });
  assert.equal(read(store, "a"), "kept");
  damage = (sealed) => Buffer.from(sealed).fill(0, 1, 2);
  assert.equal(read(store, "a"), "CONTENT_UNREADABLE");
  damage = (sealed) => sealed.subarray(0, -1);
  assert.equal(read(store, "a"), "CONTENT_UNREADABLE");
});

// The error of a bug in the server is not reported as damage, so that no operator searches the disk for it.
it("the store does not report a bug in the server as CONTENT_UNREADABLE", async () => {
  const sealer = new XChaChaSealer({ key: SecretKey.random(), keyId: 1, storeId: Buffer.alloc(16) });
  const store = await storeOfOne(sealer);
  assert.equal(read(store, "a"), "kept");
  sealer.close();
  assert.throws(() => opened(store, "a", 1), { name: "Error", message: "the key is wiped" });
});
