import type { Bundle } from "../spiffe/bundle.ts";
import type { Svid } from "../spiffe/svid.ts";

/** This process's SVID, and the bundles to verify peers with. Every peer that has the same bundles accepts the SVID. */
export interface Identity {
  readonly svid: Svid;
  /** Until when peers accept the SVID: the earliest notAfter on its path, in milliseconds since the epoch. */
  readonly validUntil: number;
  /** The bundles by the bare name of their trust domain. Never merge them: a CA in one is not trusted in another. */
  readonly bundles: ReadonlyMap<string, Bundle>;
}

/** An identity at one moment. Immutable. */
export interface IdentitySnapshot extends Identity {
  /** 1 for the first snapshot of a source, and greater for each later one. */
  readonly generation: number;
}

/**
 * Whether a source has an identity. Each problem is a sentence for the log that states what is wrong and where. While a
 * problem persists, its sentence does not change, so that it is logged once.
 * - waiting: no usable identity has arrived yet, or the last one has expired. The source continues to look for one. The
 *   problems, at least one, state what is missing.
 * - ready: `snapshot` can be used. Problems, if any, state why there is no newer identity, or what is wrong with the
 *   bundle of another trust domain and whether an older one is used in its place.
 * - failed: there is no identity, and the source has stopped because waiting would not help. At least one problem.
 */
export type IdentityState =
  | { readonly kind: "waiting"; readonly problems: readonly string[] }
  | { readonly kind: "ready"; readonly snapshot: IdentitySnapshot; readonly problems: readonly string[] }
  | { readonly kind: "failed"; readonly problems: readonly string[] };

/**
 * A source of identity: files, or the SPIFFE Workload API. It provides complete snapshots only, so a new certificate is
 * never used with an old key. whenReady waits for the first snapshot. Listeners must not throw.
 */
export interface IdentitySource {
  readonly state: IdentityState;

  /**
   * The snapshot of a source that is ready. Cheap: it reads and verifies nothing. Throws MaterialError with the
   * problems if the source is not ready.
   */
  snapshot(): IdentitySnapshot;

  /** Calls `listener` with each later snapshot until the returned function is called. */
  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void;

  /**
   * Calls `listener` with each later state until the returned function is called. The listeners of onChange are called
   * first.
   */
  onState(listener: (state: IdentityState) => void): () => void;

  /** Stops looking for changes and calling listeners. The last state can still be read. */
  close(): void;
}

/** A source that its owner can ask to look for a newer identity immediately. */
export interface ReloadableSource extends IdentitySource {
  /**
   * Looks for a newer identity now instead of at the next regular time: reads the files, or calls the Workload API
   * again. The current identity stays in use in the meantime. Does nothing after the source has failed or is closed.
   */
  reload(): void;
}
