import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { type GateRefusal, HandshakeGate, type HandshakeLimits } from "../../../src/admission/handshake-gate.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const LIMITS: HandshakeLimits = { connections: 4, inProgress: 3, perSecond: 10 };
const MANY: HandshakeLimits = { connections: 100, inProgress: 100, perSecond: 10 };

interface Arrival {
  readonly socket: Socket;
  dropped: GateRefusal | undefined;
}

function arrive(gate: HandshakeGate): Arrival {
  const entry: Arrival = { socket: new Socket(), dropped: undefined };
  gate.enter(entry.socket, (reason) => {
    entry.dropped = reason;
  });
  return entry;
}

/** A connection whose handshake is complete and whose peer is verified. */
function served(gate: HandshakeGate, timers: ManualTimers): Arrival {
  const entry = arrive(gate);
  gate.complete(entry.socket, () => {});
  timers.advance(0);
  return entry;
}

/** Does the work and then throws, and catches the error as the gate's caller does. */
function thrown(work: () => void): void {
  try {
    work();
    throw new Error("after the work");
  } catch {
    // The gate passes errors to its caller.
  }
}

async function leave({ socket }: Arrival): Promise<void> {
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await closed;
}

describe("the handshake gate", () => {
  it("admits the newest connection and closes another one when too many are in handshake", () => {
    const gate = new HandshakeGate(LIMITS, new ManualTimers(0));
    const arrivals = [arrive(gate), arrive(gate), arrive(gate), arrive(gate)];
    assert.deepEqual(
      arrivals.map(({ dropped }) => dropped),
      ["handshake-displaced", undefined, undefined, undefined],
    );
    assert.deepEqual([gate.counts.open, gate.counts.inProgress], [3, 3]);
  });

  it("does not count a complete handshake as in progress", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(LIMITS, timers);
    const arrivals = [served(gate, timers), arrive(gate), arrive(gate), arrive(gate)];
    assert.deepEqual(
      arrivals.map(({ dropped }) => dropped),
      [undefined, undefined, undefined, undefined],
    );
    assert.deepEqual([gate.counts.open, gate.counts.inProgress], [4, 3]);
  });

  it("refuses a connection above the maximum, and admits one again after another has closed", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(LIMITS, timers);
    const arrivals = [served(gate, timers), served(gate, timers), served(gate, timers), served(gate, timers)];
    assert.equal(arrive(gate).dropped, "too-many-connections");
    await leave(arrivals[0]!);
    assert.equal(arrive(gate).dropped, undefined);
  });

  // Otherwise silent peers could hold the last connections for as long as a handshake may take.
  it("closes a connection in handshake when the maximum number of connections is open", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(LIMITS, timers);
    const arrivals = [served(gate, timers), served(gate, timers), served(gate, timers)];
    const inHandshake = arrive(gate);
    assert.equal(arrive(gate).dropped, undefined);
    assert.equal(inHandshake.dropped, "handshake-displaced");
    assert.deepEqual(
      arrivals.map(({ dropped }) => dropped),
      [undefined, undefined, undefined],
    );
    assert.equal(gate.counts.open, 4);
  });

  // A handshake occupies the thread for a millisecond or two. Two in a row would delay every call twice as long.
  it("begins handshakes one at a time, the first immediately", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    for (let i = 0; i < 5; i++) gate.turn(arrive(gate).socket, () => {});
    assert.equal(gate.counts.begun, 1);
    timers.advance(99);
    assert.equal(gate.counts.begun, 1);
    timers.advance(1);
    assert.equal(gate.counts.begun, 2);
    timers.advance(10_000);
    assert.equal(gate.counts.begun, 5);
    gate.turn(arrive(gate).socket, () => {});
    assert.equal(gate.counts.begun, 6, "after a pause the next handshake begins immediately");
  });

  // A timer takes at least a millisecond, so a higher rate requires that several handshakes begin together.
  it("reaches and keeps a rate of more than a thousand handshakes a second", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate({ connections: 10_000, inProgress: 10_000, perSecond: 2500 }, timers);
    for (let i = 0; i < 6000; i++) gate.turn(arrive(gate).socket, () => {});
    timers.advance(1000);
    assert.ok(gate.counts.begun >= 2500 && gate.counts.begun <= 2503, `${gate.counts.begun}`);
  });

  it("does not begin the handshake of a peer that has left", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    const begun: string[] = [];
    gate.turn(arrive(gate).socket, () => begun.push("first"));
    const gone = arrive(gate);
    gate.turn(gone.socket, () => begun.push("gone"));
    gate.turn(arrive(gate).socket, () => begun.push("third"));
    await leave(gone);
    timers.advance(10_000);
    assert.deepEqual(begun, ["first", "third"]);
    assert.equal(gate.counts.begun, 2);
  });

  // The rate counts handshakes, and one handshake can cost as much as a hundred others.
  it("pauses after a handshake for half of the time that it took", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate({ ...MANY, perSecond: 1000 }, timers);
    gate.turn(arrive(gate).socket, () => timers.advance(300));
    gate.turn(arrive(gate).socket, () => {});
    timers.advance(149);
    assert.equal(gate.counts.begun, 1);
    timers.advance(1);
    assert.equal(gate.counts.begun, 2);
  });

  // OpenSSL reads the client's certificates as they arrive, also those of a client that never completes the handshake.
  it("pauses for the work of a handshake that is never completed", () => {
    for (const [bytesRead, pause] of [
      [100, 200],
      [0, 0],
    ] as const) {
      const timers = new ManualTimers(0);
      const gate = new HandshakeGate(MANY, timers);
      const { socket } = arrive(gate);
      gate.turn(socket, () => {});
      timers.endTurn();
      Object.defineProperty(socket, "bytesRead", { value: bytesRead });
      timers.advance(400);
      timers.endTurn();
      gate.turn(arrive(gate).socket, () => {});
      timers.advance(pause - 1);
      assert.equal(gate.counts.begun, pause > 0 ? 1 : 2, "only bytes that arrived count as work");
      timers.advance(1);
      assert.equal(gate.counts.begun, 2);
    }
  });

  it("does not pause for work that was done when no handshake was in progress", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    timers.advance(10_000);
    gate.turn(arrive(gate).socket, () => {});
    timers.endTurn();
    gate.turn(arrive(gate).socket, () => {});
    timers.advance(100);
    assert.equal(gate.counts.begun, 2);
  });

  // Verifying can cost as much as the handshake, and a peer chooses its certificates.
  it("pauses after a handshake for half of the time of its verification", () => {
    for (const verify of [(work: () => void) => work(), thrown]) {
      const timers = new ManualTimers(0);
      const gate = new HandshakeGate({ ...MANY, perSecond: 1000 }, timers);
      const { socket } = arrive(gate);
      gate.turn(socket, () => {});
      timers.endTurn();
      verify(() => gate.complete(socket, () => verify(() => timers.advance(40))));
      gate.turn(arrive(gate).socket, () => {});
      timers.advance(19);
      assert.equal(gate.counts.begun, 1);
      timers.advance(1);
      assert.equal(gate.counts.begun, 2);
    }
  });

  // The gate measures handshakes in progress in each turn of the event loop. While there are none, it must not use the
  // thread.
  it("does not watch the turns of the event loop when no handshake is in progress", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    const [verified, left] = [arrive(gate), arrive(gate)];
    gate.turn(verified.socket, () => {});
    gate.turn(left.socket, () => {});
    timers.advance(1000);
    assert.equal(timers.watchers, 1);
    gate.complete(verified.socket, () => {});
    await leave(left);
    assert.equal(timers.watchers, 0);
  });
});
