import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { MessageChannel } from "node:worker_threads";
import type { ListenAddress } from "../../../src/admission/listener.ts";
import { StartRefused } from "../../../src/domain/start-refused.ts";
import type { FrontControl } from "../../../src/front/front-control.ts";
import { IdentityMirror } from "../../../src/front/identity-mirror.ts";
import { followOrders } from "../../../src/front/order-loop.ts";
import type { NumberedOrder, Report } from "../../../src/front/orders.ts";
import { portStream } from "../../../src/front/port-stream.ts";
import { RemoteFront } from "../../../src/front/remote-front.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import { portOf } from "../../../src/threads/port.ts";

const ADDRESS: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 8443 };
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A front behind a real channel. It records what it is ordered to do; `front` replaces what an order does. */
function begin(front: Partial<FrontControl> = {}) {
  const done: string[] = [];
  const { port1, port2 } = new MessageChannel();
  stops.push(() => port1.close());
  const thread = { port: portOf<Report, NumberedOrder>(port1), end: async () => void done.push("thread ended") };
  const lines: string[] = [];
  const remote = new RemoteFront(thread, (text) => lines.push(text));
  const port = portOf<NumberedOrder, Report>(port2);
  const recorded = (name: string) => async () => void done.push(name);
  const control: FrontControl = {
    open: async () => [ADDRESS],
    leave: () => done.push("leave"),
    refuseCalls: () => done.push("refuse calls"),
    stopListening: recorded("stop listening"),
    drain: async (graceMs) => void done.push(`drain ${graceMs}`),
    settled: async () => {},
    close: recorded("close"),
    ...front,
  };
  const identity = new IdentityMirror();
  followOrders(port, { front: control, identity, close: control.close });
  return { remote, port, done, identity, lines };
}

describe("A front in another thread", () => {
  it("carries out orders in the order in which they were given", async () => {
    const { remote, port, done } = begin();
    port.post({ kind: "ready" });
    await remote.ready();
    remote.leave();
    await remote.stopListening();
    await remote.drain(10);
    remote.refuseCalls();
    await remote.close();
    assert.deepEqual(done, ["leave", "stop listening", "drain 10", "refuse calls", "close", "thread ended"]);
  });

  it("has settled only when it has adopted every identity that was sent before, in the order of sending", async () => {
    const { remote, identity } = begin();
    const adopted: string[] = [];
    identity.onState(({ problems }) => adopted.push(...problems));
    remote.adoptIdentity({ kind: "waiting", problems: ["one"] });
    remote.adoptIdentity({ kind: "failed", problems: ["other"] });
    assert.deepEqual(adopted, [], "nothing is adopted in the turn of the orders");
    await remote.settled();
    assert.deepEqual(adopted, ["one", "other"]);
    assert.deepEqual(identity.state, { kind: "failed", problems: ["other"] });
  });

  it("reports the addresses on which it listens", async () => {
    assert.deepEqual(await begin().remote.open(), [ADDRESS]);
  });

  it("reports every problem that the operator can correct", async () => {
    const refused = async () => Promise.reject(new StartRefused(["no port", "no folder"]));
    const { remote } = begin({ open: refused });
    await assert.rejects(remote.open(), new StartRefused(["no port", "no folder"]));
  });

  // A trust domain can be removed while the last calls of a shutdown are served.
  it("adopts an identity while it drains", async () => {
    let drained = () => {};
    const { remote, identity } = begin({
      drain: () =>
        new Promise((resolve) => {
          drained = resolve;
        }),
    });
    const draining = remote.drain(1000);
    remote.adoptIdentity({ kind: "waiting", problems: ["new"] });
    await remote.settled();
    assert.deepEqual(identity.state.problems, ["new"]);
    drained();
    await draining;
  });

  // The start can fail while the thread loads its code. It then has nothing to close, and must not be waited for.
  it("that is not ready is ended without an order", async () => {
    const { remote, done } = begin();
    const settled = remote.settled();
    await remote.close();
    await Promise.all([settled, remote.ready()]);
    assert.deepEqual(done, ["thread ended"]);
  });

  it("is ended once, and ignores later orders", async () => {
    const { remote, port, done } = begin();
    port.post({ kind: "ready" });
    await remote.ready();
    await remote.close();
    await remote.close();
    remote.leave();
    await remote.settled();
    assert.deepEqual(done, ["close", "thread ended"]);
  });

  it("writes complete log lines in their order, before the end of the order that caused them", async () => {
    const { remote, port, lines } = begin({ leave: () => log.info("leaving", { count: 2 }) });
    const log = createLogger("info", portStream(port));
    log.info("listening", { address: "127.0.0.1:1" });
    log.debug("not written");
    remote.leave();
    await remote.settled();
    const events = lines.map((line) => {
      assert.match(line, /\n$/);
      return (JSON.parse(line) as { event: string }).event;
    });
    assert.deepEqual(events, ["listening", "leaving"]);
  });
});
