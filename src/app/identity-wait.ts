import type { Timers } from "../domain/timers.ts";
import type { IdentitySource } from "../identity/source.ts";
import { whenReady } from "../identity/when-ready.ts";
import { StartRefused } from "../domain/start-refused.ts";

/** The options of {@link awaitIdentity}. */
export interface IdentityWait {
  readonly timers: Timers;
  /** Ends the wait, because the process shuts down. */
  readonly signal: AbortSignal;
  /** The limit of the wait in milliseconds; undefined: no limit. */
  readonly maxMs: number | undefined;
}

/** Waits for the first identity. False if `signal` was aborted first. Throws {@link StartRefused} after `maxMs`. */
export async function awaitIdentity(identity: IdentitySource, wait: IdentityWait): Promise<boolean> {
  const { timers, signal, maxMs } = wait;
  const timeout = new AbortController();
  const cancel = maxMs === undefined ? () => {} : timers.delay(maxMs, () => timeout.abort());
  try {
    await whenReady(identity, AbortSignal.any([signal, timeout.signal]));
    return !signal.aborted;
  } catch (error) {
    if (signal.aborted) return false;
    if (!timeout.signal.aborted) throw error;
    const late = `no identity within the ${maxMs} ms of --startup-timeout`;
    throw new StartRefused([...identity.state.problems, late], { cause: error });
  } finally {
    cancel();
  }
}
