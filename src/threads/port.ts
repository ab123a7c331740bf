import { type MessagePort, type TransferListItem, receiveMessageOnPort } from "node:worker_threads";

/** One end of a channel between two threads. Messages arrive completely, once, and in the order in which they were sent. */
export interface Port<In, Out> {
  /** Sends a copy of a message. Buffers in `transfer` move: the sender can no longer read them. */
  post(message: Out, transfer?: readonly ArrayBuffer[]): void;

  /** Returns the next message that has arrived and was not delivered to the listener; undefined if there is none. */
  receive(): In | undefined;

  /** Calls `listener` with each message that arrives from now on and is not taken by {@link receive}. Call it once. */
  onMessage(listener: (message: In) => void): void;

  /** Closes both ends. */
  close(): void;
}

/** A port of Node. */
export function portOf<In, Out>(port: MessagePort): Port<In, Out> {
  return {
    post: (message, transfer = []) => port.postMessage(message, transfer as TransferListItem[]),
    receive: () => receiveMessageOnPort(port)?.message,
    onMessage: (listener) => void port.on("message", listener),
    close: () => port.close(),
  };
}
