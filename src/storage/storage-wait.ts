import type { Timers } from "../domain/timers.ts";
import { StoreRefused } from "../persistence/store-refused.ts";
import type { StoreConfig } from "../config/serve-config.ts";
import { openStorage, type Storage } from "./storage.ts";

// Milliseconds between two attempts. This is short compared with the rest of the start, and an attempt takes about 1
// ms.
const PAUSE_MS = 100;

/** The options of {@link openStorageWhenFree}. */
export interface StorageWait {
  /** The limit of the wait in milliseconds; 0: a single attempt. */
  readonly maxMs: number;
  readonly timers: Timers;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called once, when the wait begins. `detail` names the other server's process if the kernel reports it. */
  readonly onHeld: (detail: string) => void;
}

/**
 * Opens the storage as soon as no other server has it open, and waits for at most `maxMs`. In a rolling update the old
 * server has it open until it has ended. Undefined if `signal` was aborted. Throws like {@link openStorage}.
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
