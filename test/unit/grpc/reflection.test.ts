import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Reflection } from "../../../src/grpc/reflection.ts";

const QUESTIONS = 1000;

/** A stream that has all its questions at hand, and whose peer reads an answer when it is told to. */
class Peer extends Duplex {
  answered = 0;
  #asked = 0;
  #waiting: (() => void) | undefined;

  constructor() {
    super({ objectMode: true });
  }

  override _read(): void {
    this.push(this.#asked++ < QUESTIONS ? { list_services: "" } : null);
  }

  override _write(_answer: object, _encoding: string, done: () => void): void {
    this.answered += 1;
    this.#waiting = done;
  }

  readOne(): void {
    this.#waiting?.();
  }
}

function open(): Peer {
  const peer = new Peer();
  const { ServerReflectionInfo: serve } = new Reflection([], ["coffer.v1.Secrets"]).implementation;
  (serve as unknown as (call: Duplex) => void)(peer);
  return peer;
}

// A caller who asks and does not read must not make the server keep an answer for each question.
it("answers no further than the caller reads", async () => {
  const peer = open();
  for (let i = 0; i < 100; i++) await turn();
  assert.ok(peer.writableLength <= peer.writableHighWaterMark, `${peer.writableLength} answers wait`);
});

it("answers everything to a caller who reads", async () => {
  const peer = open();
  const finished = once(peer, "finish");
  while (!peer.writableFinished) {
    peer.readOne();
    await turn();
  }
  await finished;
  assert.equal(peer.answered, QUESTIONS);
});
