import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serialize } from "node:v8";
import { Worker } from "node:worker_threads";
import { KeyRecipient } from "../../../src/sealing/key-transfer.ts";
import { KEY_BYTES, SecretKey } from "../../../src/sealing/secret-key.ts";
import { STORE_ID_BYTES, XChaChaSealer } from "../../../src/sealing/xchacha-sealer.ts";
import { nextEvent } from "../../support/next-event.ts";

/** The key of the sealer, which the test knows. */
const KEY = Buffer.from(Array.from({ length: KEY_BYTES }, (_, i) => 100 + i));

function sealer(): XChaChaSealer {
  const storeId = Buffer.alloc(STORE_ID_BYTES, 3);
  return new XChaChaSealer({ key: SecretKey.take(Buffer.from(KEY)), keyId: 7, storeId });
}

describe("a data key for another thread", () => {
  it("opens there what was sealed here, and the other way round", () => {
    const here = sealer();
    const recipient = new KeyRecipient();
    const there = XChaChaSealer.received(structuredClone(here.transferTo(recipient.publicKey)), recipient);
    assert.equal(there.open(here.seal(Buffer.from("secret"), "a"), "a").toString(), "secret");
    assert.equal(here.open(there.seal(Buffer.from("secret"), "b"), "b").toString(), "secret");
  });

  // A message is in ordinary memory, which can be swapped and is in core dumps.
  it("is not in the message, nor any part of it", () => {
    const message = serialize(sealer().transferTo(new KeyRecipient().publicKey));
    assert.deepEqual(partsIn(message), []);
    // The control: the same search finds the key where it is.
    assert.equal(partsIn(serialize({ key: KEY })).length, KEY_BYTES - 3);
  });

  // Two transfers of a key have nothing in common, so a message does not show whether a key is the same as before.
  it("has another box each time", () => {
    const here = sealer();
    const { publicKey } = new KeyRecipient();
    assert.notDeepEqual(here.transferTo(publicKey).box, here.transferTo(publicKey).box);
  });

  it("can't be opened by another recipient", () => {
    const { box } = sealer().transferTo(new KeyRecipient().publicKey);
    assert.throws(() => new KeyRecipient().open(box), /sent to another thread/);
  });

  // The private key is wiped with the first use, whether it succeeds or not.
  it("can be opened once", () => {
    const recipient = new KeyRecipient();
    const { box } = sealer().transferTo(recipient.publicKey);
    assert.deepEqual(Buffer.from(recipient.open(box).bytes), KEY);
    assert.throws(() => recipient.open(box), /sent to another thread/);
    const failed = new KeyRecipient();
    const other = sealer().transferTo(failed.publicKey);
    assert.throws(() => failed.open(box), /sent to another thread/);
    assert.throws(() => failed.open(other.box), /sent to another thread/);
  });

  it("can't be opened after a change of the box", () => {
    for (const at of [0, 40, 79]) {
      const recipient = new KeyRecipient();
      const { box } = sealer().transferTo(recipient.publicKey);
      box[at]! ^= 1;
      assert.throws(() => recipient.open(box), /sent to another thread/);
    }
    for (const length of [0, 79]) {
      const recipient = new KeyRecipient();
      const { box } = sealer().transferTo(recipient.publicKey);
      assert.throws(() => recipient.open(box.subarray(0, length)));
    }
  });

  // Guarded memory and the functions of libsodium work in a thread, and its key does not depend on the sender's.
  it("works in a real thread, also after the sender wiped its key", async () => {
    const module = (name: string) => JSON.stringify(new URL(`../../../src/sealing/${name}.js`, import.meta.url).href);
    const script = `
      const { parentPort } = require("node:worker_threads");
      (async () => {
        const { KeyRecipient } = await import(${module("key-transfer")});
        const { XChaChaSealer } = await import(${module("xchacha-sealer")});
        const recipient = new KeyRecipient();
        parentPort.postMessage(recipient.publicKey);
        parentPort.once("message", ({ key, sealed }) => {
          parentPort.postMessage(XChaChaSealer.received(key, recipient).open(sealed, "a").toString());
        });
      })();`;
    const worker = new Worker(script, { eval: true });
    const here = sealer();
    const [publicKey] = await nextEvent(worker, "message");
    const message = { key: here.transferTo(publicKey), sealed: here.seal(Buffer.from("secret"), "a") };
    here.close();
    worker.postMessage(message);
    assert.deepEqual(await nextEvent(worker, "message"), ["secret"]);
    await worker.terminate();
  });
});

/** Each offset in the key whose next four bytes occur in the message. */
function partsIn(message: Buffer): number[] {
  return Array.from({ length: KEY_BYTES - 3 }, (_, at) => at).filter((at) =>
    message.includes(KEY.subarray(at, at + 4)),
  );
}
