// A front of test/support/placing-fronts.ts, in a thread: front 0 listens, and places connections on all fronts. A front
// writes its number and the peer's port in a line, and then returns every byte.
import type { Socket } from "node:net";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Adoption } from "../../src/admission/adoption.ts";
import { ConnectionCounts } from "../../src/admission/connection-counts.ts";
import { loadDuplicate } from "../../src/admission/descriptor.ts";
import { type ListenAddress, Listener } from "../../src/admission/listener.ts";
import { Placement } from "../../src/admission/placement.ts";

/** What a front gets when its thread starts. */
export interface FrontData {
  readonly counts: SharedArrayBuffer;
  readonly own: number;
  /** Front 0: a port to each front, the first of which is unused. Others: one port, on which descriptors arrive. */
  readonly ports: readonly MessagePort[];
  /** Front 0 listens here. */
  readonly address: ListenAddress;
  /** While its first number is 1, a front that got "pause" handles no event. */
  readonly paused: SharedArrayBuffer;
}

const { counts: memory, own, ports, address, paused } = workerData as FrontData;
const counts = new ConnectionCounts(memory);

function receive(socket: Socket): void {
  socket.on("error", () => {});
  socket.write(`${own} ${socket.remotePort ?? "-"}\n`);
  socket.pipe(socket);
}

const adoption = new Adoption({
  counts,
  own,
  receive,
  failed: (error) => {
    throw error;
  },
});

parentPort?.on("message", () => {
  parentPort?.postMessage("pausing");
  Atomics.wait(new Int32Array(paused), 0, 1);
});

if (own === 0) {
  const duplicate = await loadDuplicate();
  const placement = new Placement({
    counts,
    own,
    most: Number.POSITIVE_INFINITY,
    duplicate,
    receive,
    refuse: (socket) => socket.destroy(),
    post: (front, fd) => ports[front]?.postMessage(fd),
  });
  const listener = await Listener.listen(address, {
    accept: (socket) => placement.place(socket),
    failed: (error) => {
      throw error;
    },
  });
  parentPort?.postMessage(listener.address);
} else {
  ports[0]?.on("message", (fd: number) => adoption.adopt(fd));
  parentPort?.postMessage("ready");
}
