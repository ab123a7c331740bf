import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { HandshakeQueue } from "../../../src/admission/handshake-queue.ts";

/** A room, and what happened in it to strangers that have names and addresses. */
class Scene {
  readonly room = new HandshakeQueue(() => this.chance);
  /** Who had to give way, in order. */
  readonly dropped: string[] = [];
  /** Whose turn came, in order. */
  readonly begun: string[] = [];
  /** What chance says, in [0, 1). */
  chance = 0.999;
  readonly #sockets = new Map<string, Socket>();

  silent(name: string, address = "192.0.2.1"): void {
    const socket = new Socket();
    Object.defineProperty(socket, "remoteAddress", { value: address });
    this.#sockets.set(name, socket);
    this.room.enter(socket, () => this.dropped.push(name));
  }

  heard(name: string, address?: string): void {
    this.silent(name, address);
    this.hear(name);
  }

  hear(name: string): void {
    this.room.hear(this.#sockets.get(name)!, () => this.begun.push(name));
  }

  leave(name: string): void {
    this.room.leave(this.#sockets.get(name)!);
  }

  /** Everybody's turn comes. */
  callAll(): void {
    while (this.room.callNext());
  }

  /** Everybody has to give way. */
  empty(): void {
    while (this.room.makeRoom());
  }
}

describe("strangers", () => {
  it("give way if they have said nothing, and else the oldest first", () => {
    const scene = new Scene();
    scene.heard("old, heard");
    scene.silent("silent");
    scene.heard("heard");
    scene.silent("newly silent");
    scene.empty();
    assert.deepEqual(scene.dropped, ["silent", "newly silent", "old, heard", "heard"]);
    assert.equal(scene.room.size, 0);
  });

  // Whatever a flood does, and however much newer it is: from another address it makes nobody give way but itself.
  it("of the address with the most of them give way", () => {
    const scene = new Scene();
    scene.silent("good", "192.0.2.2");
    for (let i = 0; i < 3; i++) scene.heard(`flood ${i}`);
    scene.room.makeRoom();
    scene.room.makeRoom();
    assert.deepEqual(scene.dropped, ["flood 0", "flood 1"]);
  });

  // First come, first served would make a good peer wait for all that a flood has left behind.
  it("begin with the newest", () => {
    const scene = new Scene();
    for (const name of ["first", "second", "third"]) scene.heard(name);
    scene.callAll();
    assert.deepEqual(scene.begun, ["third", "second", "first"]);
    assert.equal(scene.room.size, 3, "a handshake that has begun is not over");
  });

  it("begin with the address that has the fewest of them", () => {
    const scene = new Scene();
    scene.heard("good", "192.0.2.2");
    scene.silent("good and silent", "192.0.2.2");
    for (let i = 0; i < 3; i++) scene.heard(`flood ${i}`);
    scene.callAll();
    assert.deepEqual(scene.begun, ["good", "flood 2", "flood 1", "flood 0"]);
  });

  // A flood from thousands of addresses would otherwise always have one that is newer than a good peer.
  it("begin by chance where several addresses have as few of them", () => {
    for (const [chance, first] of [
      [0, "good"],
      [0.5, "flood 1"],
      [0.999, "flood 2"],
    ] as const) {
      const scene = new Scene();
      scene.chance = chance;
      scene.heard("good", "192.0.2.200");
      for (let i = 0; i < 3; i++) scene.heard(`flood ${i}`, `192.0.2.${i}`);
      scene.room.callNext();
      assert.deepEqual(scene.begun, [first]);
    }
  });

  // One host may use every address of its /64, and would otherwise be as many peers as it likes.
  it("of one IPv6 network are from one address", () => {
    const scene = new Scene();
    scene.silent("good", "2001:db8:0:1::1");
    scene.silent("flood 0", "2001:db8::1");
    scene.silent("flood 1", "2001:db8:0:0:1:2:3:4");
    scene.room.makeRoom();
    scene.silent("IPv4 0", "::ffff:192.0.2.1");
    scene.silent("IPv4 1", "::ffff:192.0.2.2");
    scene.silent("flood 2", "2001:db8::2");
    scene.room.makeRoom();
    assert.deepEqual(scene.dropped, ["flood 0", "flood 1"]);
  });

  it("that left or gave way are not called, and nobody twice", () => {
    const scene = new Scene();
    for (const name of ["displaced", "gone", "here"]) scene.heard(name);
    scene.room.makeRoom();
    scene.leave("gone");
    scene.leave("gone");
    scene.callAll();
    scene.callAll();
    assert.deepEqual([scene.dropped, scene.begun, scene.room.size], [["displaced"], ["here"], 1]);
  });

  // What was read just before the connection was closed may still be heard.
  it("that gave way before they were heard stay outside", () => {
    const scene = new Scene();
    scene.silent("displaced");
    scene.room.makeRoom();
    scene.hear("displaced");
    assert.deepEqual([scene.room.callNext(), scene.room.makeRoom(), scene.room.size], [false, false, 0]);
  });
});
