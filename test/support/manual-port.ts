import type { Port } from "../../src/threads/port.ts";

/** One end of a channel whose messages are delivered when the test says so. */
export interface ManualPort<In, Out> extends Port<In, Out> {
  /** The number of messages that wait. */
  readonly waiting: number;
  /** Passes the first messages to the listener. */
  deliver(count: number): void;
}

/** The two ends of a channel. Messages are copied as between real threads. */
export function manualChannel<Up, Down>(): [ManualPort<Up, Down>, ManualPort<Down, Up>] {
  const up: Up[] = [];
  const down: Down[] = [];
  return [portOf(up, down), portOf(down, up)];
}

function portOf<In, Out>(inbox: In[], outbox: Out[]): ManualPort<In, Out> {
  let listener: (message: In) => void = () => {};
  return {
    post: (message, transfer = []) => void outbox.push(structuredClone(message, { transfer: [...transfer] })),
    receive: () => inbox.shift(),
    onMessage(given) {
      listener = given;
    },
    close: () => {},
    get waiting() {
      return inbox.length;
    },
    deliver(count) {
      for (const message of inbox.splice(0, count)) listener(message);
    },
  };
}
