import type { Timers } from "../domain/timers.ts";
import { StoreRefused } from "../persistence/store-refused.ts";
import type { StoreConfig } from "../config/serve-config.ts";
import { openStorage, type Storage } from "./storage.ts";

// Milliseconds between two attempts: a small part of what the start takes, and an attempt costs about one.
const PAUSE_MS = 100;

/** What the wait for another server needs. */
export interface StorageWait {
  /** How long it may take, in milliseconds; 0: there is one attempt. */
  readonly maxMs: number;
  readonly timers: Timers;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Told once, with a sentence that names the other one where the kernel does, when there is something to wait for. */
  readonly onHeld: (detail: string) => void;
}

/**
 * Opens what the configuration names, as soon as no other server has it, for as long as `maxMs` allows: in a rolling
 * update the old server has it until it has ended. Undefined when `signal` was aborted. Throws as {@link openStorage}.
 */
export async function openStorageWhenFree(config: StoreConfig, wait: StorageWait): Promise<Storage | undefined> {
  const end = wait.timers.elapsed() + wait.maxMs;
  for (let attempt = 1; !wait.signal.aborted; attempt++) {
    const opened = openUnlessHeld(config);
    if (!(opened instanceof StoreRefused)) return opened;
    if (wait.timers.elapsed() >= end) throw opened;
    if (attempt === 1) wait.onHeld(opened.message);
    await pause(wait);
  }
  return undefined;
}

function openUnlessHeld(config: StoreConfig): Storage | StoreRefused {
  try {
    return openStorage(config);
  } catch (error) {
    if (error instanceof StoreRefused && error.refusal === "in use") return error;
    throw error;
  }
}

function pause({ timers, signal }: StorageWait): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = timers.delay(PAUSE_MS, done);
    signal.addEventListener("abort", done);
  });
}
