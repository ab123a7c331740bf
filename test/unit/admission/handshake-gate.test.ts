import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { type GateRefusal, HandshakeGate, type HandshakeLimits } from "../../../src/admission/handshake-gate.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const LIMITS: HandshakeLimits = { connections: 4, inProgress: 3, perSecond: 10 };
const MANY: HandshakeLimits = { connections: 100, inProgress: 100, perSecond: 10 };

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

/** A guest whose handshake is over, and who was judged. */
function served(gate: HandshakeGate, timers: ManualTimers): Visit {
  const guest = visit(gate);
  gate.complete(guest.socket, () => {});
  timers.advance(0);
  return guest;
}

/** Does the work, and fails then. */
function thrown(work: () => void): void {
  try {
    work();
    throw new Error("a fault");
  } catch {
    // It is for the caller of the gate.
  }
}

async function leave({ socket }: Visit): Promise<void> {
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await closed;
}

describe("the gate", () => {
  it("lets the newest in and makes another one give way when too many are in handshake", () => {
    const gate = new HandshakeGate(LIMITS, new ManualTimers(0));
    const guests = [visit(gate), visit(gate), visit(gate), visit(gate)];
    assert.deepEqual(
      guests.map(({ dropped }) => dropped),
      ["handshake-displaced", undefined, undefined, undefined],
    );
    assert.deepEqual([gate.open, gate.inProgress], [3, 3]);
  });

  it("does not count a handshake that is over", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(LIMITS, timers);
    const guests = [served(gate, timers), visit(gate), visit(gate), visit(gate)];
    assert.deepEqual(
      guests.map(({ dropped }) => dropped),
      [undefined, undefined, undefined, undefined],
    );
    assert.deepEqual([gate.open, gate.inProgress], [4, 3]);
  });

  it("refuses more connections than may be open, and takes one again when one has closed", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(LIMITS, timers);
    const guests = [served(gate, timers), served(gate, timers), served(gate, timers), served(gate, timers)];
    assert.equal(visit(gate).dropped, "too-many-connections");
    await leave(guests[0]!);
    assert.equal(visit(gate).dropped, undefined);
  });

  // Otherwise silent strangers could hold the last places for as long as a handshake may take.
  it("makes a stranger give way when as many connections as may be are open", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(LIMITS, timers);
    const guests = [served(gate, timers), served(gate, timers), served(gate, timers)];
    const stranger = visit(gate);
    assert.equal(visit(gate).dropped, undefined);
    assert.equal(stranger.dropped, "handshake-displaced");
    assert.deepEqual(
      guests.map(({ dropped }) => dropped),
      [undefined, undefined, undefined],
    );
    assert.equal(gate.open, 4);
  });

  // Each takes a millisecond or two of the thread: two in a row would hold up every call twice as long.
  it("lets handshakes begin one by one, the first at once", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    for (let i = 0; i < 5; i++) gate.turn(visit(gate).socket, () => {});
    assert.equal(gate.begun, 1);
    timers.advance(99);
    assert.equal(gate.begun, 1);
    timers.advance(1);
    assert.equal(gate.begun, 2);
    timers.advance(10_000);
    assert.equal(gate.begun, 5);
    gate.turn(visit(gate).socket, () => {});
    assert.equal(gate.begun, 6, "after a pause the next one begins at once");
  });

  // A timer is a millisecond at least: what a higher rate needs has to begin together.
  it("keeps to a rate of more than a thousand in a second", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate({ connections: 10_000, inProgress: 10_000, perSecond: 2500 }, timers);
    for (let i = 0; i < 6000; i++) gate.turn(visit(gate).socket, () => {});
    timers.advance(1000);
    assert.ok(gate.begun >= 2500 && gate.begun <= 2503, `${gate.begun}`);
  });

  it("does not begin with a peer that has left", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    const begun: string[] = [];
    gate.turn(visit(gate).socket, () => begun.push("first"));
    const gone = visit(gate);
    gate.turn(gone.socket, () => begun.push("gone"));
    gate.turn(visit(gate).socket, () => begun.push("third"));
    await leave(gone);
    timers.advance(10_000);
    assert.deepEqual(begun, ["first", "third"]);
    assert.equal(gate.begun, 2);
  });

  // The rate counts handshakes, and one of them can cost as much as a hundred others.
  it("rests after a handshake for half as long as it took", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate({ ...MANY, perSecond: 1000 }, timers);
    gate.turn(visit(gate).socket, () => timers.advance(300));
    gate.turn(visit(gate).socket, () => {});
    timers.advance(149);
    assert.equal(gate.begun, 1);
    timers.advance(1);
    assert.equal(gate.begun, 2);
  });

  // OpenSSL reads the client's certificates as they arrive. A client that then says no more has cost as much as others.
  it("rests for what a handshake took that never ends", () => {
    for (const [bytesRead, pause] of [
      [100, 200],
      [0, 0],
    ] as const) {
      const timers = new ManualTimers(0);
      const gate = new HandshakeGate(MANY, timers);
      const { socket } = visit(gate);
      gate.turn(socket, () => {});
      timers.endTurn();
      Object.defineProperty(socket, "bytesRead", { value: bytesRead });
      timers.advance(400);
      timers.endTurn();
      gate.turn(visit(gate).socket, () => {});
      timers.advance(pause - 1);
      assert.equal(gate.begun, pause > 0 ? 1 : 2, "bytes that arrived are work, and none are none");
      timers.advance(1);
      assert.equal(gate.begun, 2);
    }
  });

  it("does not rest for what was done when no handshake was under way", () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    timers.advance(10_000);
    gate.turn(visit(gate).socket, () => {});
    timers.endTurn();
    gate.turn(visit(gate).socket, () => {});
    timers.advance(100);
    assert.equal(gate.begun, 2);
  });

  // Verifying can cost as much as the handshake, and a peer chooses its certificates.
  it("rests after a handshake for what its verification took", () => {
    for (const verify of [(work: () => void) => work(), thrown]) {
      const timers = new ManualTimers(0);
      const gate = new HandshakeGate({ ...MANY, perSecond: 1000 }, timers);
      const { socket } = visit(gate);
      gate.turn(socket, () => {});
      timers.endTurn();
      verify(() => gate.complete(socket, () => verify(() => timers.advance(40))));
      gate.turn(visit(gate).socket, () => {});
      timers.advance(19);
      assert.equal(gate.begun, 1);
      timers.advance(1);
      assert.equal(gate.begun, 2);
    }
  });

  // A handshake that has begun is watched in each turn of the event loop; when there is none, nothing is.
  it("watches no turn when no handshake is under way", async () => {
    const timers = new ManualTimers(0);
    const gate = new HandshakeGate(MANY, timers);
    const [judged, left] = [visit(gate), visit(gate)];
    gate.turn(judged.socket, () => {});
    gate.turn(left.socket, () => {});
    timers.advance(1000);
    assert.equal(timers.watchers, 1);
    gate.complete(judged.socket, () => {});
    await leave(left);
    assert.equal(timers.watchers, 0);
  });
});
