import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Reflection } from "../../../src/grpc/reflection.ts";
import { nextEvent } from "../../support/next-event.ts";

const REQUESTS = 1000;

/** A stream that sends all its requests without waiting, and reads one answer at each call of `readOne`. */
class Peer extends Duplex {
  answered = 0;
  #sent = 0;
  #waiting: (() => void) | undefined;

  constructor() {
    super({ objectMode: true });
  }

  override _read(): void {
    this.push(this.#sent++ < REQUESTS ? { list_services: "" } : null);
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

// A client that sends requests and does not read must not make the server keep an answer for each request.
it("reflection stops answering while the client does not read", async () => {
  const peer = open();
  for (let i = 0; i < 100; i++) await turn();
  assert.ok(peer.writableLength <= peer.writableHighWaterMark, `${peer.writableLength} answers wait`);
});

it("reflection answers every request of a client that reads", async () => {
  const peer = open();
  const finished = nextEvent(peer, "finish");
  while (!peer.writableFinished) {
    peer.readOne();
    await turn();
  }
  await finished;
  assert.equal(peer.answered, REQUESTS);
});
