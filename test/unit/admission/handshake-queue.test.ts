import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { HandshakeQueue } from "../../../src/admission/handshake-queue.ts";

/** A queue of connections that have names and addresses, and a record of what the queue did with them. */
class QueueKit {
  readonly queue = new HandshakeQueue(() => this.chance);
  /** The closed connections, in order. */
  readonly dropped: string[] = [];
  /** The connections whose handshakes began, in order. */
  readonly begun: string[] = [];
  /** The next random number, in [0, 1). */
  chance = 0.999;
  readonly #sockets = new Map<string, Socket>();

  silent(name: string, address = "192.0.2.1"): void {
    const socket = new Socket();
    Object.defineProperty(socket, "remoteAddress", { value: address });
    this.#sockets.set(name, socket);
    this.queue.enter(socket, () => this.dropped.push(name));
  }

  withHello(name: string, address?: string): void {
    this.silent(name, address);
    this.helloArrives(name);
  }

  helloArrives(name: string): void {
    this.queue.helloArrived(this.#sockets.get(name)!, () => this.begun.push(name));
  }

  leave(name: string): void {
    this.queue.leave(this.#sockets.get(name)!);
  }

  beginAll(): void {
    while (this.queue.beginNext());
  }

  dropAll(): void {
    while (this.queue.dropOne());
  }
}

describe("the handshake queue", () => {
  it("closes connections without a ClientHello first, and then the oldest", () => {
    const kit = new QueueKit();
    kit.withHello("old, with hello");
    kit.silent("silent");
    kit.withHello("new, with hello");
    kit.silent("new, silent");
    kit.dropAll();
    assert.deepEqual(kit.dropped, ["silent", "new, silent", "old, with hello", "new, with hello"]);
    assert.equal(kit.queue.size, 0);
  });

  // A flood, even a newer one, causes only connections of its own address to be closed.
  it("closes a connection of the address that has the most", () => {
    const kit = new QueueKit();
    kit.silent("legitimate", "192.0.2.2");
    for (let i = 0; i < 3; i++) kit.withHello(`flood ${i}`);
    kit.queue.dropOne();
    kit.queue.dropOne();
    assert.deepEqual(kit.dropped, ["flood 0", "flood 1"]);
  });

  // With first come, first served, a legitimate peer would wait for all connections that a flood has left behind.
  it("begins the handshake of the newest connection first", () => {
    const kit = new QueueKit();
    for (const name of ["first", "second", "third"]) kit.withHello(name);
    kit.beginAll();
    assert.deepEqual(kit.begun, ["third", "second", "first"]);
    assert.equal(kit.queue.size, 3, "a handshake that has begun is still pending");
  });

  it("begins with a connection of the address that has the fewest connections", () => {
    const kit = new QueueKit();
    kit.withHello("legitimate", "192.0.2.2");
    kit.silent("legitimate and silent", "192.0.2.2");
    for (let i = 0; i < 3; i++) kit.withHello(`flood ${i}`);
    kit.beginAll();
    assert.deepEqual(kit.begun, ["legitimate", "flood 2", "flood 1", "flood 0"]);
  });

  // A flood from thousands of addresses would otherwise always have one that is newer than a legitimate peer.
  it("chooses at random among the addresses with the fewest connections", () => {
    for (const [chance, first] of [
      [0, "legitimate"],
      [0.5, "flood 1"],
      [0.999, "flood 2"],
    ] as const) {
      const kit = new QueueKit();
      kit.chance = chance;
      kit.withHello("legitimate", "192.0.2.200");
      for (let i = 0; i < 3; i++) kit.withHello(`flood ${i}`, `192.0.2.${i}`);
      kit.queue.beginNext();
      assert.deepEqual(kit.begun, [first]);
    }
  });

  // One host can use every address of its /64, and would otherwise count as many sources.
  it("counts an IPv6 /64 as one address", () => {
    const kit = new QueueKit();
    kit.silent("legitimate", "2001:db8:0:1::1");
    kit.silent("flood 0", "2001:db8::1");
    kit.silent("flood 1", "2001:db8:0:0:1:2:3:4");
    kit.queue.dropOne();
    kit.silent("IPv4 0", "::ffff:192.0.2.1");
    kit.silent("IPv4 1", "::ffff:192.0.2.2");
    kit.silent("flood 2", "2001:db8::2");
    kit.queue.dropOne();
    assert.deepEqual(kit.dropped, ["flood 0", "flood 1"]);
  });

  it("begins each handshake once, and none of a connection that left or was closed", () => {
    const kit = new QueueKit();
    for (const name of ["displaced", "gone", "here"]) kit.withHello(name);
    kit.queue.dropOne();
    kit.leave("gone");
    kit.leave("gone");
    kit.beginAll();
    kit.beginAll();
    assert.deepEqual([kit.dropped, kit.begun, kit.queue.size], [["displaced"], ["here"], 1]);
  });

  // A hello that was read just before the connection was closed can still be reported to the queue.
  it("ignores the ClientHello of a connection that it has closed", () => {
    const kit = new QueueKit();
    kit.silent("displaced");
    kit.queue.dropOne();
    kit.helloArrives("displaced");
    assert.deepEqual([kit.queue.beginNext(), kit.queue.dropOne(), kit.queue.size], [false, false, 0]);
  });
});
