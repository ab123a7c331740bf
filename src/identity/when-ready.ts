import { MaterialError } from "../spiffe/material-error.ts";
import type { IdentitySnapshot, IdentitySource, IdentityState } from "./source.ts";

/**
 * Waits for a source to be ready. Rejects with a {@link MaterialError} with the problems of the source if it fails, or
 * if `signal` is aborted first, for example by a timeout or a shutdown.
 */
export function whenReady(source: IdentitySource, signal?: AbortSignal): Promise<IdentitySnapshot> {
  return new Promise((resolve, reject) => {
    const look = (state: IdentityState) => {
      if (state.kind === "waiting" && !signal?.aborted) return;
      stop();
      signal?.removeEventListener("abort", onAbort);
      if (state.kind === "ready") resolve(state.snapshot);
      else reject(new MaterialError(...state.problems));
    };
    const onAbort = () => look(source.state);
    const stop = source.onState(look);
    signal?.addEventListener("abort", onAbort);
    look(source.state);
  });
}
