import { type EventEmitter, once } from "node:events";
import { Worker } from "node:worker_threads";

/**
 * Resolves to the arguments of the next event with this name, as once() of node:events does. It also rejects if the emitter
 * (a stream, a socket, a session, a thread or a child process) ends without the event. A test that waits by once() for what
 * a failure prevents does not fail: it waits until the test runner ends the whole file, without a reason.
 */
// biome-ignore lint/suspicious/noExplicitAny: as once(), whose callers know the arguments of the event
export async function nextEvent(emitter: EventEmitter, name: string): Promise<any[]> {
  const ended = () => new Error(`the ${emitter.constructor.name} ended before its event "${name}"`);
  if ("destroyed" in emitter && emitter.destroyed) throw ended();
  // A child process emits "close" after its last message, and "exit" possibly before.
  const last = emitter instanceof Worker ? "exit" : "close";
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    return await Promise.race([
      once(emitter, name, { signal }),
      once(emitter, last, { signal }).then(() => Promise.reject(ended())),
    ]);
  } finally {
    waiting.abort();
  }
}
