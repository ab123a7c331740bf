import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { type GateRefusal, HandshakeGate } from "../../../src/transport/handshake-gate.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const LIMITS = { connections: 4, inProgress: 3, perSecond: 10 };

interface Visit {
  readonly socket: Socket;
  dropped: GateRefusal | undefined;
}

function visit(gate: HandshakeGate): Visit {
  const guest: Visit = { socket: new Socket(), dropped: undefined };
  gate.enter(guest.socket, (reason) => {
    guest.dropped = reason;
  });
  return guest;
}

describe("the gate", () => {
  // The newest always gets in: a good peer is through in milliseconds, so the oldest is one that stalls.
  it("drops the handshake that has been under way longest when there are too many", () => {
    const gate = new HandshakeGate(LIMITS, new ManualTimers(0));
    const guests = [visit(gate), visit(gate), visit(gate), visit(gate)];
    assert.deepEqual(
      guests.map(({ dropped }) => dropped),
      ["handshake-displaced", undefined, undefined, undefined],
    );
    assert.equal(gate.inProgress, 3);
  });

  it("does not count a handshake that is over", () => {
    const gate = new HandshakeGate(LIMITS, new ManualTimers(0));
    const guests = [visit(gate), visit(gate), visit(gate)];
    gate.done(guests[0]!.socket);
    assert.equal(visit(gate).dropped, undefined);
    assert.deepEqual(
      guests.map(({ dropped }) => dropped),
      [undefined, undefined, undefined],
    );
  });

  it("refuses more connections than may be open, and takes one again when one has closed", async () => {
    const gate = new HandshakeGate(LIMITS, new ManualTimers(0));
    const guests = [0, 1, 2, 3].map(() => {
      const guest = visit(gate);
      gate.done(guest.socket);
      return guest;
    });
    assert.equal(visit(gate).dropped, "too-many-connections");
    const closed = new Promise((resolve) => guests[0]!.socket.once("close", resolve));
    guests[0]!.socket.destroy();
    await closed;
    assert.equal(visit(gate).dropped, undefined);
  });

  // A second's worth begins at once; the others in their order, at the rate.
  it("lets handshakes begin at a rate", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate({ connections: 100, inProgress: 100, perSecond: 10 }, timers);
    const begun: number[] = [];
    for (let i = 0; i < 15; i++) gate.turn(visit(gate).socket, () => begun.push(i));
    assert.equal(begun.length, 10);
    timers.advance(100);
    assert.equal(begun.length, 11);
    timers.advance(400);
    assert.deepEqual(
      begun,
      Array.from({ length: 15 }, (_, i) => i),
    );
  });

  it("does not begin with a peer that has left", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate({ connections: 100, inProgress: 100, perSecond: 1 }, timers);
    const begun: string[] = [];
    gate.turn(visit(gate).socket, () => begun.push("first"));
    const gone = visit(gate);
    gate.turn(gone.socket, () => begun.push("gone"));
    gate.turn(visit(gate).socket, () => begun.push("third"));
    const closed = new Promise((resolve) => gone.socket.once("close", resolve));
    gone.socket.destroy();
    await closed;
    timers.advance(10_000);
    assert.deepEqual(begun, ["first", "third"]);
  });
});
