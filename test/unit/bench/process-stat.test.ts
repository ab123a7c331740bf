import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Worker } from "node:worker_threads";
import { connectionsByEventLoop } from "../../../bench/event-loops.ts";
import { Meter } from "../../../bench/meter.ts";
import { threadMicros } from "../../../bench/process-stat.ts";
import { nextEvent } from "../../support/next-event.ts";
import { until } from "../../support/until.ts";

const pid = process.pid;

describe("the CPU time of threads", () => {
  // If the CPU time of a worker were counted for the main thread, the share of the store thread would be wrong.
  it("is counted for each thread", async () => {
    const meter = new Meter(pid);
    const busiest = () => Math.max(...[...threadMicros(pid)].map(([id, micros]) => (id === pid ? 0 : micros)));
    const own = () => threadMicros(pid).get(pid) ?? 0;
    // Before the meter starts, so that it includes all that the meter counts for the main thread.
    const start = own();
    meter.start();
    const before = threadMicros(pid);
    const worker = new Worker("for (;;);", { eval: true });
    // The main thread needs more CPU time than usual to wait for a worker that gets little.
    while (busiest() < 300_000 || busiest() < 3 * (own() - start)) await sleep(100);
    meter.record({ kind: "ok" }, performance.now());
    meter.stop();
    await worker.terminate();
    const { main, others } = meter.result().serverThreads;
    assert.ok(before.has(pid), "the main thread has the process's ID");
    assert.ok(others[0]!.micros > 2 * main, `worker ${others[0]!.micros} us, main thread ${main} us`);
  });
});

/** Connects to a port and waits until the server has accepted. */
async function connectTo(port: number, accepted: () => Promise<unknown>) {
  const socket = createConnection(port, "127.0.0.1");
  await Promise.all([nextEvent(socket, "connect"), accepted()]);
  return socket;
}

describe("the connections of event loops", () => {
  // Two threads listen at ports of their own. All connections of a port are on one event loop, and those of another
  // port, as well as the clients' ends in the same process, are not counted.
  it("are counted where they are served", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const port = (server.address() as AddressInfo).port;
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads");
       const server = require("node:net").createServer(() => parentPort.postMessage("accepted"));
       server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`,
      { eval: true },
    );
    const [workerPort] = (await nextEvent(worker, "message")) as [number];
    const clients = [];
    for (let i = 0; i < 3; i++) clients.push(await connectTo(port, () => once(server, "connection")));
    for (let i = 0; i < 2; i++) clients.push(await connectTo(workerPort, () => nextEvent(worker, "message")));
    const counted = (on: number) => connectionsByEventLoop(pid, on).filter((count) => count > 0);
    // An event loop that accepts a connection watches it only from its next turn on.
    await until("each event loop watches its connections", () =>
      isDeepStrictEqual([counted(port), counted(workerPort)], [[3], [2]]),
    );
    for (const client of clients) client.destroy();
    server.close();
    await worker.terminate();
  });
});
