import type { Bundle } from "./bundle.ts";
import type { Svid } from "./svid.ts";

/** Everything that a process needs to prove who it is and to tell who others are, as of one moment. Immutable. */
export interface IdentitySnapshot {
  /** 1 for the first snapshot of a source, greater for each later one. Of use to see that trust has changed. */
  readonly generation: number;
  /** Our own identity. */
  readonly svid: Svid;
  /** The bundles by the bare name of their trust domain. Never merged: who is in one says nothing in another. */
  readonly bundles: ReadonlyMap<string, Bundle>;
}

/**
 * Where identity comes from: files today, the SPIFFE Workload API later. It hands out whole snapshots or nothing, so a
 * new certificate is never seen beside an old key.
 */
export interface IdentitySource {
  /** The newest snapshot. Cheap: nothing is read or verified here. */
  snapshot(): IdentitySnapshot;

  /** Calls `listener` with each later snapshot until the returned function is called. A listener must not throw. */
  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void;

  /** Stops looking for changes. The last snapshot stays readable. */
  close(): void;
}
