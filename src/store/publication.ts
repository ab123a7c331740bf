import type { CommittedEntry } from "./journal.ts";
import { Memory } from "./memory.ts";
import { SealedMemory } from "./sealed-memory.ts";

/** Makes committed changes visible: in a memory, and to the threads that follow it. */
export interface Publication {
  readonly memory: Memory;
  /** Publishes entries in revision order. */
  publish(entries: readonly CommittedEntry[]): void;
  /** Called between two chunks of a load. Resolves when the next one may be published. */
  ready(): Promise<void>;
  /**
   * Resolves when every thread has applied what was published so far, and the contents that it has removed are
   * overwritten in memory.
   */
  erased(): Promise<void>;
}

/** Publishes to the memory of this thread alone. */
export function ownMemory(): Publication {
  const memory = new Memory(new SealedMemory());
  const done = () => Promise.resolve();
  return { memory, publish: (entries) => memory.publish(entries), ready: done, erased: done };
}
