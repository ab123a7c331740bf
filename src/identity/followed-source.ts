import type { CurrentIdentity } from "./current-identity.ts";
import type { IdentitySnapshot, IdentityState, ReloadableSource } from "./source.ts";

/** A source that follows something, and whose state a {@link CurrentIdentity} keeps: all that does not depend on what. */
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

  /** Whoever extends this stops following first. */
  close(): void {
    this.current.close();
  }
}
