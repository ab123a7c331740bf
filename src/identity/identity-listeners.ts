import type { IdentitySnapshot, IdentityState } from "./source.ts";

/** The listeners of an identity source. */
export class IdentityListeners {
  readonly #change = new Set<(snapshot: IdentitySnapshot) => void>();
  readonly #state = new Set<(state: IdentityState) => void>();

  /** See IdentitySource. */
  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void {
    return subscribe(this.#change, listener);
  }

  /** See IdentitySource. */
  onState(listener: (state: IdentityState) => void): () => void {
    return subscribe(this.#state, listener);
  }

  /** Reports the state that replaced `before`: its snapshot, if that is a new one, and then the state. */
  notify(before: IdentityState, after: IdentityState): void {
    if (after.kind === "ready" && !(before.kind === "ready" && before.snapshot === after.snapshot)) {
      for (const listener of this.#change) listener(after.snapshot);
    }
    for (const listener of this.#state) listener(after);
  }

  /** Removes all listeners. */
  clear(): void {
    this.#change.clear();
    this.#state.clear();
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
