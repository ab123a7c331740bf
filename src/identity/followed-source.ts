import type { CurrentIdentity } from "./current-identity.ts";
import type { IdentitySnapshot, IdentityState, ReloadableSource } from "./source.ts";

/** The common part of sources that follow changes. `current` has the state of the source. */
export abstract class FollowedSource implements ReloadableSource {
  protected readonly current: CurrentIdentity;

  protected constructor(current: CurrentIdentity) {
    this.current = current;
  }

  get state(): IdentityState {
    return this.current.state;
  }

  snapshot(): IdentitySnapshot {
    return this.current.snapshot();
  }

  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void {
    return this.current.onChange(listener);
  }

  onState(listener: (state: IdentityState) => void): () => void {
    return this.current.onState(listener);
  }

  abstract reload(): void;

  /** A subclass must stop following changes before it calls this. */
  close(): void {
    this.current.close();
  }
}
